"""S3: moto's backend with all buckets and objects on disk, and a guard that saves each change before the answer."""
