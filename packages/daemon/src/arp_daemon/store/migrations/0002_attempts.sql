-- Until when a run may take, as decided at its first attempt. NULL: as long as it likes.
ALTER TABLE attempts ADD COLUMN deadline_at INTEGER;
