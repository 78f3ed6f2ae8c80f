-- Checksums of profiles and instances as well, of what each says of itself. NULL: written by an earlier release.
ALTER TABLE profiles ADD COLUMN sum INTEGER;
ALTER TABLE instances ADD COLUMN sum INTEGER;
