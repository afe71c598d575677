//! Routes of the SCIM service.

use axum::http::Method;

use crate::scim::Failure;
use crate::scim::schema::{GROUP, ResourceType, USER};

/// What is asked for.
#[derive(Debug)]
pub(super) enum Route {
    /// What the service says of itself.
    Discovery(Discovery),
    /// The resource of this kind and id.
    One(&'static ResourceType, String),
    /// Resources of these kinds.
    Some(Vec<&'static ResourceType>),
}

/// What the service says of itself.
#[derive(Debug)]
pub(super) enum Discovery {
    Config,
    Schemas,
    Schema(String),
    ResourceTypes,
    ResourceType(String),
}

impl Route {
    /// The route of `path`, below the service's base.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Failure> {
        let steps: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let kind = |endpoint: &str| match endpoint {
            "Users" => Some(&USER),
            "Groups" => Some(&GROUP),
            _ => None,
        };
        let route = match steps.as_slice() {
            ["Me", ..] => {
                return Err(Failure::new(
                    501,
                    "the reader of the registry is not a user in it: there is no /Me",
                ));
            }
            ["Bulk"] => return Err(read_only(501)),
            [".search"] => Self::Some(vec![&USER, &GROUP]),
            ["ServiceProviderConfig"] => Self::Discovery(Discovery::Config),
            ["Schemas"] => Self::Discovery(Discovery::Schemas),
            ["Schemas", id] => Self::Discovery(Discovery::Schema((*id).to_owned())),
            ["ResourceTypes"] => Self::Discovery(Discovery::ResourceTypes),
            ["ResourceTypes", id] => Self::Discovery(Discovery::ResourceType((*id).to_owned())),
            [endpoint] => Self::Some(vec![kind(endpoint).ok_or_else(|| nothing(404))?]),
            [endpoint, ".search"] => Self::Some(vec![kind(endpoint).ok_or_else(|| nothing(400))?]),
            [endpoint, id] => Self::One(kind(endpoint).ok_or_else(|| nothing(400))?, (*id).to_owned()),
            _ => return Err(nothing(400)),
        };
        let searches = steps.last() == Some(&".search");
        match *method {
            Method::POST if searches => Ok(route),
            Method::GET | Method::HEAD if !searches => Ok(route),
            Method::GET | Method::HEAD => Err(Failure::new(405, "a search is sent by POST")),
            _ => Err(read_only(405)),
        }
    }
}

/// The methods that there are at `path`.
pub(super) fn allowed(path: &str) -> &'static str {
    if path.trim_end_matches('/').ends_with(".search") { "POST" } else { "GET, HEAD" }
}

fn read_only(status: u16) -> Failure {
    Failure::new(
        status,
        "this registry is read-only: its contents follow from the directory and the policy; change them there",
    )
}

/// Nothing is here. Where an id could stand it is never 404: readers take that for a person who was removed.
fn nothing(status: u16) -> Failure {
    Failure::new(status, "there is nothing at this URL; ResourceTypes lists the resources")
}
