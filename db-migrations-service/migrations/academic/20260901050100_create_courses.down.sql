-- Undoes create_courses.

drop table academic.courses;
