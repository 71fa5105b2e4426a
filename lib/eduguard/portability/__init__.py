"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""
