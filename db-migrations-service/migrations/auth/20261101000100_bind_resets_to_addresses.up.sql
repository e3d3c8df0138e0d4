-- A permission to set a new password is good for the address that it was mailed to: where the account has another one by
-- now, whoever still reads the old mailbox has no business with it.

alter table auth.password_resets add column email varchar(255);

comment on column auth.password_resets.email is 'Address that the token was mailed to; another one by now makes it void.';
