-- An answer comes by the page or by any channel there is, and a channel may have more than two accounts at providers.
-- Side by side: both constraints only let in more than before, so processes of the version before write what they always
-- wrote, and read new values as the plain texts and numbers that these columns hold.

-- A channel's name is its way. The cast knows every channel that the type has; one that it has not is an error.
ALTER TABLE answers DROP CONSTRAINT answers_way_check, ADD CONSTRAINT answers_way_check CHECK (way = 'page' OR way::channel IS NOT NULL) NOT VALID;
ALTER TABLE senders DROP CONSTRAINT senders_account_check, ADD CONSTRAINT senders_account_check CHECK (account BETWEEN 1 AND 99) NOT VALID;
