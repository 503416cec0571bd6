//! What a login may do, worked out from the text of its rules by as little as that takes, and by nothing of the broker.

use kolejka::auth::Action;

use super::world::Login;

/// Whether a pattern means a name: `*` stands for one part, `**` for the rest.
fn means(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<&str>, Vec<&str>) =
        (pattern.split(['.', '/']).collect(), name.split(['.', '/']).collect());
    let rest = pattern.iter().position(|part| *part == "**");
    let fixed = rest.unwrap_or(pattern.len());
    let fits = |(pattern, name): (&&str, &&str)| *pattern == "*" || pattern == name;
    name.len() >= fixed && (rest.is_some() || name.len() == fixed) && pattern[..fixed].iter().zip(&name).all(fits)
}

fn says(login: &Login, rules: &[(String, Vec<Action>)], right: Action, name: &str) -> bool {
    rules.iter().any(|(on, to)| {
        let on = on.replace("{user}", &login.name).replace("/temp-queue/", "/remote-temp-queue/");
        to.contains(&right) && means(&on, name)
    })
}

/// The queue that the name of an event or of a dead-letter queue speaks of.
fn source(right: Action, name: &str) -> Option<(String, bool)> {
    if right == Action::Write {
        return None;
    }
    if let Some(dead) = name.strip_prefix("/queue/DLQ.") {
        return Some((format!("/queue/{dead}"), true));
    }
    let event = name.strip_prefix("/topic/Kolejka.Job.")?;
    Some((format!("/queue/{}", event.split_once('.')?.1), false))
}

/// Whether a login has a right.
pub(crate) fn may(login: &Login, right: Action, name: &str) -> bool {
    if says(login, &login.deny, right, name) {
        return false;
    }
    match source(right, name) {
        None => says(login, &login.allow, right, name),
        Some((from, is_dead)) => {
            let explicit = |(on, _): &&(String, Vec<Action>)| !on.contains('*') || on.starts_with("/queue/DLQ.");
            let rules: Vec<_> = login.allow.iter().filter(explicit).cloned().collect();
            if is_dead && says(login, &rules, right, name) {
                return !says(login, &login.deny, right, &from);
            }
            may(login, right, &from)
        }
    }
}

/// What of these needs, each a right and a name, a login has not. `create` is needed only for what is not there.
pub(crate) fn missing(login: &Login, needs: &[(Action, String)], there: &[&str]) -> Vec<String> {
    let is_needed = |(right, name): &&(Action, String)| *right != Action::Create || !there.contains(&name.as_str());
    let lacks = |(right, name): &&(Action, String)| !may(login, *right, name);
    let told = |(right, name): &(Action, String)| format!("forbidden to {} {name}", right.as_str());
    needs.iter().filter(is_needed).filter(lacks).map(told).collect()
}
