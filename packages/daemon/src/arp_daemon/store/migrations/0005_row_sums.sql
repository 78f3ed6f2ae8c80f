-- A checksum of all of a run that neither `request_sum` nor `result_sum` covers. NULL: written by an earlier release.
ALTER TABLE runs ADD COLUMN row_sum INTEGER;
