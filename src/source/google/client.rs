//! Asks the Directory API: with a token, patiently, inside the budget of the project.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::config::{GoogleConfig, SCOPES, Whose};
use super::decode::{self, Item};
use super::refusal::{self, About, Said};
use crate::clock::Clock;
use crate::directory::{Anchor, DirectoryId};
use crate::net::http::{Answer, Ask, Http, Url};
use crate::net::oauth::{Client, Credential, TokenError, Tokens};
use crate::net::pace::Pace;
use crate::source::json;
use crate::source::service::pages::{Ahead, Onward};
use crate::source::service::trail::Trail;
use crate::source::service::{self, NoAnswer, Service, at};
use crate::source::{Reason, SourceError};
use crate::text;

/// What messages call it.
pub(super) const NAME: &str = "the Directory API";
/// So many questions are asked at a time, where one does not hang on another.
pub(super) const AT_ONCE: usize = 8;
/// How many a page has: as many as it may.
const USERS: &str = "500";
const GROUPS: &str = "200";
const MEMBERS: &str = "200";

/// The Directory API, as one service account sees it.
pub(super) struct Api {
    service: Service,
    config: GoogleConfig,
    http: Http,
    clock: Arc<dyn Clock>,
}

/// Why the API did not answer what it was asked.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such object.
    NotThere,
    /// It is not shown.
    Denied(SourceError),
    /// Anything else.
    Error(SourceError),
}

impl From<SourceError> for Refused {
    fn from(error: SourceError) -> Self {
        Self::Error(error)
    }
}

impl Refused {
    /// As an error, where none of the others can be.
    pub(super) fn error(self) -> SourceError {
        match self {
            Self::Error(error) | Self::Denied(error) => error,
            Self::NotThere => SourceError::new(
                Reason::NotFound,
                "the Directory API does not know the customer or domain that is to be read. Check customer or domain, and that \
                 adminEmail is an administrator of it",
            ),
        }
    }
}

/// A page as it comes. A list without elements is left out.
#[derive(Deserialize)]
struct Came<T> {
    kind: String,
    #[serde(alias = "users", alias = "groups", alias = "members", default = "Vec::new")]
    items: Vec<T>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

/// A member of a group.
#[derive(Deserialize)]
struct Member<'t> {
    #[serde(borrow)]
    id: Option<&'t RawValue>,
    #[serde(borrow)]
    r#type: Option<&'t RawValue>,
}

/// Who is directly in a group.
#[derive(Default)]
pub(super) struct Listed {
    /// Users, groups and others, by id.
    pub(super) ids: Vec<Anchor>,
    /// Customers of whom everybody is in it.
    pub(super) customers: Vec<Option<String>>,
    /// How many have no id.
    pub(super) nameless: u64,
}

impl Api {
    pub(super) fn new(config: GoogleConfig, http: Http, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let client = client(&config, &SCOPES.join(" "))?;
        let pace = Pace::of(config.project(), config.per_minute);
        let service = Service::new(NAME, http.clone(), client, clock.clone()).paced(pace, refusal::counts_as);
        Ok(Self { service, config, http, clock })
    }

    pub(super) fn config(&self) -> &GoogleConfig {
        &self.config
    }

    /// What its clock said last.
    pub(super) fn date(&self) -> Option<Timestamp> {
        self.service.date()
    }

    /// Everything that decides what is asked.
    pub(super) fn asked(&self, customer: &DirectoryId) -> Vec<String> {
        let (GoogleConfig { whose, admin, literal, .. }, customer) = (&self.config, customer.to_string());
        let selects =
            [decode::select_users(literal), decode::select_groups(literal), decode::schemas(literal)];
        [whose.to_string(), admin.clone(), customer].into_iter().chain(selects).collect()
    }

    /// The id of the customer, which it keeps whatever its domains are called.
    pub(super) async fn customer(&self) -> Result<DirectoryId, SourceError> {
        if let Whose::Customer(id) = &self.config.whose
            && id != Whose::MINE
        {
            return Ok(DirectoryId::new(id));
        }
        let customer = |item: &Item<'_>| decode::text(item, "customerId").map(DirectoryId::new);
        let admin = self.object("users", &self.config.admin, "id,customerId", customer).await;
        let admin = admin.map_err(|refused| {
            let Refused::NotThere = refused else { return refused.error() };
            let message = "there is no user adminEmail in this customer. Name an administrator of it there";
            SourceError::new(Reason::AuthenticationFailed, message)
        })?;
        admin.ok_or_else(|| {
            let message = "the Directory API does not say of which customer adminEmail is. Set customer to the customer's ID, which \
                           the admin console shows under Account, Account settings, Profile";
            SourceError::new(Reason::InvalidData, message)
        })
    }

    /// A page of users, each as `of` understands it: of those who are there, or of those who were deleted of late.
    pub(super) async fn users<T>(
        &self,
        deleted: bool,
        page: &str,
        of: &impl Fn(&Item<'_>) -> T,
        ahead: Ahead,
    ) -> Result<Vec<T>, Refused> {
        let literal = &self.config.literal;
        let select = if deleted { "id".to_owned() } else { decode::select_users(literal) };
        let schemas = decode::schemas(literal);
        let mut query = vec![("maxResults", USERS), self.config.whose.parameter()];
        if deleted {
            query.push(("showDeleted", "true"));
        } else if !schemas.is_empty() {
            query.extend([("projection", "custom"), ("customFieldMask", &schemas)]);
        }
        let answer = self.page("users", "users", &select, query, page).await?;
        self.listed(&answer, "users", of, ahead)
    }

    /// A page of groups, each as `of` understands it.
    pub(super) async fn groups<T>(
        &self,
        page: &str,
        of: &impl Fn(&Item<'_>) -> T,
        ahead: Ahead,
    ) -> Result<Vec<T>, Refused> {
        let select = decode::select_groups(&self.config.literal);
        let query = vec![("maxResults", GROUPS), self.config.whose.parameter()];
        let answer = self.page("groups", "groups", &select, query, page).await?;
        self.listed(&answer, "groups", of, ahead)
    }

    /// What is on a page. Where the list goes on is told `ahead`.
    fn listed<T>(
        &self,
        answer: &Answer,
        list: &str,
        of: &impl Fn(&Item<'_>) -> T,
        ahead: Ahead,
    ) -> Result<Vec<T>, Refused> {
        let Came { items, next, .. } = self.came::<Item<'_>>(answer, list)?;
        // Nobody listens to a read that was given up.
        ahead.send(next.map_or_else(|| Onward::End(String::new()), Onward::Page)).ok();
        Ok(items.iter().map(of).collect())
    }

    /// All direct members of a group.
    pub(super) async fn members(&self, group: &str) -> Result<Listed, Refused> {
        let path = format!("groups/{}/members", segment(group));
        let (mut listed, mut trail, mut page) = (Listed::default(), Trail::default(), String::new());
        loop {
            let query = vec![("maxResults", MEMBERS)];
            let answer = self.page(&path, "members", "id,type", query, &page).await?;
            let came = self.came::<Member<'_>>(&answer, "members")?;
            for Member { id, r#type } in came.items {
                let id = id.and_then(json::text).filter(|id| !id.trim().is_empty());
                match (r#type.and_then(json::text).as_deref(), id) {
                    (Some("CUSTOMER"), id) => listed.customers.push(id.map(Cow::into_owned)),
                    (_, Some(id)) => listed.ids.push(Anchor::new(id)),
                    (_, None) => listed.nameless += 1,
                }
            }
            let Some(token) = came.next else { return Ok(listed) };
            trail.step(&token, NAME)?;
            page = token;
        }
    }

    /// One object, by its id or one of its addresses, as `is` understands it.
    pub(super) async fn object<T>(
        &self,
        of: &str,
        key: &str,
        select: &str,
        is: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, Refused> {
        let url = self.url(&format!("{of}/{}", segment(key)), &[("fields", select)])?;
        let answer = self.ask(url).await?;
        if answer.status != 200 {
            return Err(self.refused(&answer, false));
        }
        Ok(is(&self.service.understand(&answer)?))
    }

    /// A page of a list; the first one has no name.
    async fn page(
        &self,
        path: &str,
        list: &str,
        select: &str,
        mut query: Vec<(&str, &str)>,
        page: &str,
    ) -> Result<Answer, Refused> {
        let fields = format!("kind,nextPageToken,{list}({select})");
        let goes_on = !page.is_empty();
        query.push(("fields", &fields));
        query.extend(goes_on.then_some(("pageToken", page)));
        let answer = self.ask(self.url(path, &query)?).await?;
        if answer.status == 200 { Ok(answer) } else { Err(self.refused(&answer, goes_on)) }
    }

    /// What an answer says that is to be a page of this list.
    fn came<'t, T: Deserialize<'t>>(&self, answer: &'t Answer, list: &str) -> Result<Came<T>, Refused> {
        let mut came: Came<T> = self.service.understand(answer)?;
        if came.kind != format!("admin#directory#{list}") {
            let message = format!(
                "{NAME} answered with something else than a list of {list}. Nothing of this read was used"
            );
            return Err(SourceError::new(Reason::Interrupted, message).into());
        }
        came.next = came.next.filter(|token| !token.is_empty());
        Ok(came)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, SourceError> {
        let query: Vec<_> = query.iter().chain(&[("prettyPrint", "false")]).collect();
        let mut url = at(self.config.endpoints.directory(), &format!("/admin/directory/v1/{path}"), "")?;
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }

    async fn ask(&self, url: Url) -> Result<Answer, SourceError> {
        match self.service.ask(Ask::get(url)).await {
            Ok(answer) => Ok(answer),
            Err(NoAnswer::Http(error)) => Err(service::http(&error)),
            Err(NoAnswer::Token(error)) => Err(self.no_token(&error).await),
        }
    }

    /// Why there is no token: Google does not say which scope it is that nobody delegated.
    async fn no_token(&self, error: &TokenError) -> SourceError {
        let mut missing = Vec::new();
        if matches!(error, TokenError::Refused(refusal) if refusal::is_of_scopes(refusal)) {
            for scope in SCOPES {
                let Ok(client) = client(&self.config, scope) else { break };
                let alone = Tokens::new(self.http.clone(), client, self.clock.clone()).token().await;
                if matches!(alone, Err(TokenError::Refused(refusal)) if refusal::is_of_scopes(&refusal)) {
                    missing.push(scope);
                }
            }
        }
        refusal::token(error, &missing, &self.about())
    }

    fn about(&self) -> About<'_> {
        let GoogleConfig { account, .. } = &self.config;
        About { account, client_id: self.config.client_id(), project: self.config.project() }
    }

    /// What a refusal means; `goes_on` is whether it was the next page that was asked for.
    fn refused(&self, answer: &Answer, goes_on: bool) -> Refused {
        let said = Said::of(&answer.body);
        let codes = said.codes(answer.status);
        let detail = text::clean_within(&said.message, 300).into_owned();
        if let Some(passing) = self.service.passing(answer, &codes) {
            return passing.with_detail(detail).into();
        }
        match answer.status {
            404 if said.is_not_found() => Refused::NotThere,
            // Who was deleted and can be restored.
            412 if said.is_deleted() => Refused::NotThere,
            400 if goes_on => SourceError::new(
                Reason::CursorExpired,
                format!(
                    "{NAME} no longer knows where this read was ({codes}). Nothing of it was used; everything is read again"
                ),
            )
            .with_detail(detail)
            .into(),
            403 => {
                let error = refusal::denied(&said, &codes, &self.about()).with_detail(detail);
                if said.is_about_object() { Refused::Denied(error) } else { Refused::Error(error) }
            }
            status => refusal::rejected(&said, status, &codes).with_detail(detail).into(),
        }
    }
}

/// Who asks for what.
fn client(config: &GoogleConfig, scope: &str) -> Result<Client, SourceError> {
    Ok(Client {
        endpoint: at(config.endpoints.token(), "/token", "")?,
        id: config.account.clone(),
        scope: scope.to_owned(),
        credential: Credential::Account(Box::new(config.credential.clone())),
    })
}

/// A key as one segment of a path.
fn segment(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace('+', "%20")
}
