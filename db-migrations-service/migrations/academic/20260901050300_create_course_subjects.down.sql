-- Undoes create_course_subjects.

drop table academic.course_subjects;
