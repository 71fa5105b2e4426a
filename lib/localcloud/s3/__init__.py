"""S3: moto's backend with every bucket and object kept on disk, and a guard that keeps what moto answered."""
