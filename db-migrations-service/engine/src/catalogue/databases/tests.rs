use super::*;

const BASE: &str = r#"
    [project]
    name = "escuela"
    [environments.development]
    database = "escuela"
    [environments.production]
    [services.auth-service]
    schemas = ["auth"]
    [services.plans-service]
    schemas = ["plans"]
    references = ["auth"]
    [services.chat-service]
    schemas = ["chat"]
    references = ["plans"]
"#;

fn catalogue(more: &str) -> Catalogue {
    Catalogue::parse(&format!("{BASE}{more}")).expect("a good catalogue")
}

fn refusal(more: &str) -> String {
    Catalogue::parse(&format!("{BASE}{more}")).expect_err("a bad catalogue").message
}

#[test]
fn a_database_of_its_own_is_an_environment_behind_the_one_it_belongs_to() {
    let catalogue = catalogue(
        "[environments.development.databases.auth]\nservices = [\"auth-service\"]\nurl_variable = \"AUTH_DATABASE_URL\"\n\
         [[environments.development.backup.schedules]]\ncron = \"15 2 * * *\"\nservices = [\"auth-service\", \"chat-service\"]\n\
         [[environments.development.backup.schedules]]\ncron = \"15 3 * * *\"\nservices = [\"plans-service\"]\n\
         [[environments.development.backup.schedules]]\ncron = \"15 4 * * *\"\n",
    );
    let names: Vec<&str> = catalogue.environments.keys().map(String::as_str).collect();
    assert_eq!(names, ["development", "development/auth", "production"]);
    let auth = &catalogue.environments["development/auth"];
    assert_eq!(auth.url_variable.as_deref(), Some("AUTH_DATABASE_URL"));
    assert_eq!(auth.database.as_deref(), Some("escuela_auth"));
    assert_eq!(auth.part_of(), Some("development"));
    assert_eq!(catalogue.databases("development"), ["development", "development/auth"]);
    assert_eq!(catalogue.databases("development/auth"), ["development/auth"]);
    assert_eq!(catalogue.databases("production"), ["production"]);
    assert_eq!(catalogue.home_of("development", "auth-service"), Some("development/auth"));
    assert_eq!(catalogue.home_of("development", "chat-service"), Some("development"));
    assert_eq!(catalogue.home_of("development/auth", "chat-service"), None);
    let due = |name: &str| -> Vec<Vec<String>> {
        catalogue.environments[name].backup.schedules.iter().map(|schedule| schedule.services.clone()).collect()
    };
    assert_eq!(due("development"), [vec!["chat-service".to_owned()], vec!["plans-service".to_owned()], vec![]]);
    assert_eq!(due("development/auth"), [vec!["auth-service".to_owned()], vec![]]);
}

#[test]
fn a_database_knows_its_own_services_and_where_the_others_are() {
    let catalogue = catalogue("[environments.development.databases.auth]\nservices = [\"auth-service\"]\n");
    assert_eq!(catalogue.narrowed_to("production"), None);
    let main = catalogue.narrowed_to("development").expect("not everything is here");
    assert_eq!(main.services.keys().collect::<Vec<_>>(), ["plans-service", "chat-service"]);
    assert_eq!(main.services["plans-service"].references, Vec::<String>::new());
    assert_eq!(main.services["chat-service"].references, ["plans"]);
    assert_eq!(main.elsewhere("auth").map(|there| there.place.as_str()), Some("development/auth"));
    assert_eq!(main.elsewhere("plans"), None);
    assert_eq!(main.narrowed_to("development"), None, "once is enough");
    let auth = catalogue.narrowed_to("development/auth").expect("not everything is here");
    assert_eq!(
        auth.elsewhere("chat").map(|there| (there.service.as_str(), there.place.as_str())),
        Some(("chat-service", "development"))
    );
}

#[test]
fn the_main_database_is_left_out_where_nobody_lives_in_it() {
    let all = "services = [\"auth-service\", \"plans-service\", \"chat-service\"]\n";
    let catalogue = catalogue(&format!("[environments.development.databases.all]\n{all}"));
    assert_eq!(catalogue.databases("development"), ["development/all"]);
}

#[test]
fn an_alert_of_an_environment_holds_for_its_databases() {
    use crate::catalogue::alerts::AlertRule;
    let catalogue = catalogue(
        "[environments.development.databases.auth]\nservices = [\"auth-service\"]\n\
         [alerts.low-disk.environments.development]\nthreshold = 33\n",
    );
    let threshold = |name: &str| catalogue.alert(AlertRule::LowDisk, Some(name)).map(|settings| settings.threshold);
    assert_eq!(threshold("development/auth"), Some(33));
    assert_eq!(threshold("production"), Some(10));
}

#[test]
fn contradictions_are_refused_together() {
    let message = refusal(
        "[environments.\"a/b\"]\n\
         [environments.development.databases.main]\nservices = []\n\
         [environments.development.databases.one]\nservices = [\"auth-service\", \"nobody\"]\n\
         [environments.development.databases.two]\nservices = [\"auth-service\"]\n\
         [fleets.tenants]\nservice = \"auth-service\"\nenvironment = \"development\"\nmatch = \"t_%\"\n",
    );
    for part in [
        "environment \"a/b\": a slash",
        "\"main\" is not a plain lower-case name other than",
        "databases.main: it houses no service",
        "databases.one: there is no service \"nobody\"",
        "databases.two: auth-service lives in \"one\" already",
        "fleets.tenants: auth-service lives in \"two\" already",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_fleet_says_where_its_databases_are_in_one_way() {
    let fleet = |more: &str| {
        refusal(&format!("[fleets.tenants]\nservice = \"plans-service\"\nenvironment = \"production\"\n{more}"))
    };
    assert!(fleet("").contains("one of three ways"));
    assert!(fleet("match = \"a\"\nquery = \"b\"\n").contains("one of three ways"));
    assert!(fleet("databases = [\"postgres://a:secret@h/x\"]\n").contains("a password stands in"));
    assert!(fleet("match = \"a\"\nfailure_budget = \"200%\"\n").contains("no failure budget"));
    assert!(fleet("match = \"a\"\nwave = 0\n").contains("must be above 0"));
}
