//! Users: names, stored passwords and rules become what the door needs.

use std::path::Path;

use crate::auth::{Options, PasswordError, Principal, Rights, User, UserError};

use super::place::beside;
use super::problem::Problem;
use super::settings::{Section, Settings};
use super::sources::Files;
use super::value::RuleText;

/// All users, and the rights of those without a login.
pub(super) fn read_all(
    settings: &Settings,
    file: Option<&Path>,
    files: &dyn Files,
    problems: &mut Vec<Problem>,
) -> Options {
    let mut options = Options::default();
    let mut names: Vec<String> = Vec::new();
    for section in &settings.users {
        let Some(name) = section.get::<String>("user.name") else {
            problems.push(Problem::new(section.at.clone(), "a user needs a name").label("add name = \"…\""));
            continue;
        };
        if names.contains(&name) {
            problems.push(Problem::new(section.origin("user.name"), format!("there are two users `{name}`")));
        }
        let rights = rights(&name, section, problems);
        if name == Principal::ANONYMOUS {
            options.anonymous = Some(rights);
        } else if let Some(password) = password(section, file, files, problems) {
            match User::new(&name, &password, rights) {
                Ok(user) => options.users.push(user),
                Err(error) => problems.push(refuse(&error, section)),
            }
        }
        names.push(name);
    }
    options
}

/// Rules of a user who finds only what others have made: often that is not what was meant.
pub(super) fn without_create(user: &User) -> String {
    let (name, begins) = (user.name(), "may use only destinations that are there");
    format!("the user `{name}` {begins}: no rule of its `allow` has \"create\" in `to`")
}

/// Whether clients without a login may do something where they are let in.
pub(super) fn check_anonymous(settings: &Settings, options: &Options, problems: &mut Vec<Problem>) {
    let lets_in = |section: &&Section| section.get("listener.anonymous") == Some(true);
    if options.anonymous.is_none()
        && !settings.users.is_empty()
        && let Some(listener) = settings.listeners.iter().find(lets_in)
    {
        problems.push(
            Problem::new(listener.origin("listener.anonymous"), "anonymous clients are let in, but may do nothing")
                .label("needs a user `anonymous` with rights, without a password")
                .help("add [[user]] with name = \"anonymous\" and allow = [ { on = \"/topic/**\", to = [\"read\"] } ]"),
        );
    }
    let has_others =
        settings.users.iter().any(|user| user.get::<String>("user.name").as_deref() != Some(Principal::ANONYMOUS));
    if let Some(only) = settings.users.first().filter(|_| !has_others) {
        problems.push(
            Problem::new(only.origin("user.name"), "there is only the user `anonymous`")
                .label("without any other user everybody may do everything")
                .help("add another user, or leave `anonymous` away"),
        );
    }
}

fn rights(name: &str, section: &Section, problems: &mut Vec<Problem>) -> Rights {
    let mut rights = Rights::default();
    for rule in section.get::<Vec<RuleText>>("user.allow").unwrap_or_default() {
        if let Err(error) = rights.allow(name, &rule.on, &rule.to) {
            problems.push(bad_rule(&rule, &error));
        }
    }
    for rule in section.get::<Vec<RuleText>>("user.deny").unwrap_or_default() {
        if let Err(error) = rights.deny(name, &rule.on, &rule.to) {
            problems.push(bad_rule(&rule, &error));
        }
    }
    if section.get::<Vec<RuleText>>("user.allow").is_none_or(|rules| rules.is_empty()) {
        problems.push(
            Problem::new(section.origin("user.name"), format!("the user `{name}` may do nothing"))
                .label("has no `allow`")
                .help(
                    "add allow = [ { on = \"/queue/**\", to = [\"read\", \"write\", \"create\"] } ] or narrower rules",
                ),
        );
    }
    rights
}

fn bad_rule(rule: &RuleText, error: &crate::auth::RuleError) -> Problem {
    Problem::new(rule.at.clone(), format!("the rule on `{}` cannot be", rule.on)).label(error.to_string())
}

fn password(section: &Section, file: Option<&Path>, files: &dyn Files, problems: &mut Vec<Problem>) -> Option<String> {
    let written = section.get::<String>("user.password");
    let Some(path) = section.get::<String>("user.password_file") else {
        if written.is_none() {
            problems.push(
                Problem::new(section.origin("user.name"), "a user needs a password")
                    .label("has neither `password` nor `password_file`")
                    .help("`kolejka user hash` reads a password and prints what to write"),
            );
        }
        return written;
    };
    if written.is_some() {
        problems.push(
            Problem::new(section.origin("user.password_file"), "a user has one password")
                .label("`password` is written too"),
        );
    }
    let path = beside(file, &path);
    match files.read(&path) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) => {
            problems.push(
                Problem::new(section.origin("user.password_file"), format!("{} cannot be read", path.display()))
                    .label(error.to_string()),
            );
            None
        }
    }
}

fn refuse(error: &UserError, section: &Section) -> Problem {
    let key = match (error, section.get::<String>("user.password_file")) {
        (UserError::Password(_), Some(_)) => "user.password_file",
        (UserError::Password(_), None) => "user.password",
        _ => "user.name",
    };
    let problem = Problem::new(section.origin(key), error.to_string());
    match error {
        UserError::Password(PasswordError::Plain) => problem.label("not a hash").help(
            "`kolejka user hash` reads a password and prints what to write; think of this one as known to others",
        ),
        _ => problem,
    }
}
