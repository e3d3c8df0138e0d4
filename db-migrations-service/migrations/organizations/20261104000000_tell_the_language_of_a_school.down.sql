-- Undoes tell_the_language_of_a_school.

drop function organizations.language(uuid);
