-- Undoes add_result_contents: contents and status are lost.

alter table plans.plan_results
    drop column exercises,
    drop column recommendations,
    drop column plan_content,
    drop column status;
