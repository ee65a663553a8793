-- Groups of users, and the groups that clients admit. Both lists are also in the records.
ALTER TABLE @users ADD COLUMN groups text[] COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE @clients ADD COLUMN admit_groups text[] COLLATE "C" NOT NULL DEFAULT '{}';
