-- What an instance said that broke the protocol: the beginning of it, without secrets.
ALTER TABLE attempts ADD COLUMN said TEXT;
