//! A Sync Engine and the gateway, in this process: what holds of every source holds through them, and whatever is wrong with what
//! comes is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollcall::clock::{Clock, SystemClock};
use rollcall::directory::{Anchor, Batch, Change, Completion, Cursor, Entry, Members, Mode, Reference};
use rollcall::engine::{Identity, Line, LineError, run};
use rollcall::net::http::{Ask, Http, Method, Url};
use rollcall::source::engine::Trouble;
use rollcall::source::{Reason, Source as _, SourceConfig, SourceError};
use rollcall::wire::{
    self, Chain, End, Hello, Outcome, Receipt, Refusal, SigningKey, Stamp, Task, Work, code, digest, pack,
    path, unpack,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::source_contract::holds;
use crate::support::company::{hurtful, large};
use crate::support::cut::Cuts;
use crate::support::engine::{Gate, corp, directory, yaml};
use crate::support::slapd::{Setup, Slapd};

/// An engine that runs until it is dropped.
struct Running(CancellationToken);

impl Running {
    fn start(gate: &Gate, ldap: &str, port: u16, more: &str) -> Self {
        let file = gate.settings(ldap, port, more);
        let (line, stop) = (gate.line(&file), CancellationToken::new());
        let stopping = stop.clone();
        tokio::spawn(async move { Box::pin(run(&file, line, "inside", stopping)).await });
        Self(stop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Reads to the end; what came, and how it ended.
async fn read(
    source: SourceConfig,
    cursor: Option<Cursor>,
) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(1);
    let reading = tokio::spawn(async move { source.open(None).read(cursor.as_ref(), sink.into()).await });
    let mut came = Vec::new();
    while let Some(batch) = batches.recv().await {
        came.extend(batch.0);
    }
    (came, reading.await.unwrap())
}

fn direct(slapd: &Slapd, literal: &[&str]) -> SourceConfig {
    let literal = literal.iter().map(|name| (*name).to_owned()).collect();
    let ldap =
        rollcall::source::ldap::LdapConfig { literal, page_size: 7, ..crate::ldap::config(&[&slapd.url()]) };
    SourceConfig::Ldap(crate::ldap::generic(ldap))
}

fn sorted(changes: Vec<Change>) -> BTreeMap<Anchor, Change> {
    changes.into_iter().filter_map(|change| Some((change.anchor()?.clone(), change))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_to_the_contract_of_sources_and_says_what_the_directory_says() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let gate = Gate::open();
    let _engine = Running::start(&gate, &slapd.url(), gate.port, "");
    let through = gate.source(directory(&["audio"]));
    holds(&through, "audio").await;
    let ((came, end), (before, of_before)) =
        (read(through, None).await, read(direct(&slapd, &["audio"]), None).await);
    let (end, of_before) = (end.unwrap(), of_before.unwrap());
    assert_eq!(sorted(came), sorted(before));
    assert_eq!(
        (end.fields, end.attributes, end.scope, end.directory),
        (of_before.fields, of_before.attributes, of_before.scope, of_before.directory)
    );
    assert_eq!((end.id, end.server, end.notices), (of_before.id, of_before.server, of_before.notices));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_anywhere_leave_a_read_whole() {
    let slapd = Slapd::start(&Setup { ldif: &large(2500, 20, 40, 600), ..Setup::default() });
    let gate = Gate::open();
    let cuts = Cuts::start(gate.port, 6, 25_000).await;
    let _engine = Running::start(&gate, &slapd.url(), cuts.port, "");
    let (came, end) = read(gate.source(directory(&[])), None).await;
    let (before, _) = read(direct(&slapd, &[]), None).await;
    assert_eq!(end.unwrap().mode, Mode::Full);
    assert_eq!(came.len(), before.len(), "nothing came twice");
    assert_eq!(sorted(came), sorted(before));
    assert_eq!(*cuts.left.lock().unwrap(), [0_u64; 0], "all connections were cut");
}

/// An engine that is led by hand, and a read that it was given.
struct ByHand {
    line: Line,
    task: Task,
    chain: Chain,
    reading: JoinHandle<(Vec<Change>, Result<Completion, SourceError>)>,
}

fn hello() -> Hello {
    Hello {
        oldest: wire::OLDEST,
        newest: wire::PROTOCOL,
        software: "9.9".to_owned(),
        host: "inside".to_owned(),
        has: BTreeSet::new(),
        stopped: None,
    }
}

async fn work(line: &Line, hello: &Hello) -> Result<Work, LineError> {
    line.say(path::WORK, pack(hello).unwrap(), wire::LETTER).await
}

impl ByHand {
    async fn begin(gate: &Gate, cursor: Option<Cursor>) -> Self {
        let file = gate.settings("ldap://127.0.0.1:1", gate.port, "");
        let line = gate.line(&file);
        let reading = tokio::spawn(read(gate.source(directory(&["audio"])), cursor));
        let task = loop {
            if let Some(task) = work(&line, &hello()).await.unwrap().task {
                break task;
            }
        };
        Self { line, chain: Chain::of_task(&task), task, reading }
    }

    async fn part(&self, number: u64, framed: &[u8]) -> Result<Receipt, LineError> {
        self.line.say(&path::part(&self.task.id, number), framed.to_vec(), wire::LETTER).await
    }

    /// Sends a batch as it should be.
    async fn batch(&mut self, changes: Vec<Change>) {
        let (framed, chain) = self.chain.part(&batch(changes), true);
        self.part(self.chain.next(), &framed).await.unwrap();
        self.chain = chain;
    }

    async fn end(&self, outcome: Outcome) -> Result<Receipt, LineError> {
        self.line.say(&path::end(&self.task.id), pack(&End { outcome }).unwrap(), wire::LETTER).await
    }

    fn complete(&self) -> Outcome {
        Outcome::Complete(self.chain.seal(), Box::new(completion()))
    }

    /// How the read ends, if it does in time.
    async fn ended(self) -> (Vec<Change>, Result<Completion, SourceError>) {
        tokio::time::timeout(Duration::from_mins(1), self.reading).await.unwrap().unwrap()
    }
}

fn batch(changes: Vec<Change>) -> Vec<u8> {
    pack(&changes.into_iter().map(wire::Change::from).collect::<Vec<_>>()).unwrap()
}

fn person(name: &str) -> Change {
    Change::Replace(Box::new(Entry { anchor: Anchor::new(name), ..Entry::nobody() }))
}

fn completion() -> wire::Completion {
    wire::Completion {
        mode: wire::Mode::Full,
        directory: "dc=corp".to_owned(),
        id: None,
        server: None,
        cursor: None,
        fields: ["mail".to_owned(), "nothing".to_owned()].into(),
        attributes: ["audio".to_owned(), "secret".to_owned()].into(),
        scope: String::new(),
        notices: Vec::new(),
        vendor: None,
        feed: None,
        shown: wire::Shown::default(),
    }
}

fn refusal(said: Result<Receipt, LineError>) -> String {
    said.unwrap_err().code().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_completes_only_with_its_own_parts_and_all_of_them() {
    let gate = Gate::open();
    let mut hand = ByHand::begin(&gate, None).await;
    hand.batch(vec![person("ann"), person("bob")]).await;
    // What was lost on the way is sent again, and counts once.
    let before = Chain::of_task(&hand.task);
    let (framed, _) = before.part(&batch(vec![person("ann"), person("bob")]), true);
    assert_eq!(hand.part(0, &framed).await.unwrap().next, 1);
    hand.batch(vec![person("cy")]).await;
    hand.end(hand.complete()).await.unwrap();
    let (came, end) = hand.ended().await;
    let end = end.unwrap();
    assert_eq!(came.len(), 3);
    assert_eq!(
        (end.fields, end.attributes),
        (["mail".to_owned()].into(), ["audio".to_owned()].into()),
        "only what was asked for"
    );
}

/// What a part may be that is no next part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_missing_repeated_altered_or_of_another_read_is_refused() {
    let gate = Gate::open();
    let mut hand = ByHand::begin(&gate, None).await;
    let first = hand.chain.clone();
    hand.batch(vec![person("ann")]).await;
    let second = hand.chain.clone();
    hand.batch(vec![person("bob")]).await;
    let (next, after) = hand.chain.part(&batch(vec![person("cy")]), true);
    let mut altered = next.clone();
    altered[0] ^= 1;
    let of_another =
        Chain::of_task(&Task { id: "other".to_owned(), read: None, look_up: None }).part(b"x", true).0;
    for (number, framed) in [
        (3, &next),
        (0, &first.part(&batch(vec![person("ann")]), true).0),
        (1, &second.part(&batch(vec![person("eve")]), true).0),
        (1, &next),
        (2, &altered),
        (2, &of_another),
        (2, &next[..20].to_vec()),
    ] {
        assert_eq!(refusal(hand.part(number, framed).await), code::CHAIN, "part {number}");
    }
    // None of that did any harm.
    assert_eq!(hand.part(2, &next).await.unwrap().next, 3);
    hand.chain = after;
    hand.end(hand.complete()).await.unwrap();
    let (came, end) = hand.ended().await;
    assert!(end.is_ok() && came == [person("ann"), person("bob"), person("cy")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_does_not_belong_to_its_parts_ends_the_read_in_error() {
    let gate = Gate::open();
    let seal = |chain: &Chain| Outcome::Complete(chain.seal(), Box::new(completion()));
    for what in ["fewer", "more", "half", "another", "look-up", "none"] {
        let mut hand = ByHand::begin(&gate, None).await;
        let first = hand.chain.clone();
        hand.batch(vec![person("ann")]).await;
        let outcome = match what {
            "fewer" => seal(&first),
            "more" => seal(&hand.chain.part(&batch(vec![person("bob")]), true).1),
            "half" => {
                let (framed, chain) = hand.chain.part(b"half a batch", false);
                hand.part(1, &framed).await.unwrap();
                seal(&chain)
            }
            "another" => seal(&Chain::of("other", b"").part(b"x", true).1),
            "look-up" => Outcome::LookedUp(Box::default()),
            _ => {
                // Nothing can be unpacked of it.
                let (framed, chain) = hand.chain.part(b"no batch", true);
                assert_eq!(refusal(hand.part(1, &framed).await), code::INVALID);
                seal(&chain)
            }
        };
        let said = hand.end(outcome).await;
        assert!(what == "none" || said.is_err(), "{what}");
        let (_, end) = hand.ended().await;
        let error = end.unwrap_err();
        assert_eq!(error.reason, Reason::InvalidData, "{what}: {error}");
        assert!(error.message.contains("nothing of this read was used"), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_another_question_is_no_answer() {
    let gate = Gate::open();
    for (what, alter) in [
        ("changes alone", (|end| end.mode = wire::Mode::Delta) as fn(&mut wire::Completion)),
        ("no directory", |end| end.directory = " ".to_owned()),
        ("a cursor that is none", |end| end.cursor = Some("xyz".to_owned())),
    ] {
        let hand = ByHand::begin(&gate, None).await;
        let mut end = completion();
        alter(&mut end);
        hand.end(Outcome::Complete(hand.chain.seal(), Box::new(end))).await.unwrap();
        assert_eq!(hand.ended().await.1.unwrap_err().reason, Reason::InvalidData, "{what}");
    }
    // Of one that was to resume, changes alone are an answer.
    let hand = ByHand::begin(&gate, Some(Cursor(vec![1, 2]))).await;
    assert_eq!(hand.task.read.as_ref().unwrap().cursor.as_deref(), Some("0102"));
    let end = wire::Completion { mode: wire::Mode::Delta, cursor: Some("03".to_owned()), ..completion() };
    hand.end(Outcome::Complete(hand.chain.seal(), Box::new(end))).await.unwrap();
    let end = hand.ended().await.1.unwrap();
    assert_eq!((end.mode, end.cursor), (Mode::Delta, Some(Cursor(vec![3]))));
    // What a newer engine might mean by more is not guessed.
    let hand = ByHand::begin(&gate, None).await;
    let mut outcome = serde_json::to_value(End { outcome: hand.complete() }).unwrap();
    outcome["outcome"]["complete"][1]["except"] = "ann".into();
    let said =
        hand.line.say::<Receipt>(&path::end(&hand.task.id), pack(&outcome).unwrap(), wire::LETTER).await;
    let why = said.unwrap_err().to_string();
    assert!(why.contains("field except") && why.contains("update"), "{why}");
    hand.reading.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_of_one_process_of_its_own_engine() {
    let gate = Gate::open();
    let hand = ByHand::begin(&gate, None).await;
    // The same key, in a process that was started later.
    let later = || {
        let settings = rollcall::engine::Settings::read(&gate.path("engine.yaml")).unwrap();
        let key = Identity::read(&settings.state_dir).unwrap().key;
        Line::new(settings.http().unwrap(), &settings.gateway.url, key, Arc::new(SystemClock)).unwrap()
    };
    let second = later();
    let (framed, _) = hand.chain.part(&batch(vec![person("ann")]), true);
    let said = second.say::<Receipt>(&path::part(&hand.task.id, 0), framed.clone(), wire::LETTER).await;
    assert_eq!(refusal(said), code::GONE, "it is not its task");
    let has = BTreeSet::from(["nothing".to_owned()]);
    let told = work(&second, &Hello { has: has.clone(), ..hello() }).await.unwrap();
    assert_eq!(told.dropped, has, "what it has that nobody wants");
    assert_eq!(refusal(hand.part(0, &framed).await), code::GONE);
    assert_eq!(work(&hand.line, &hello()).await.unwrap_err().code(), Some(code::SUPERSEDED));
    let (_, end) = hand.ended().await;
    assert_eq!(end.unwrap_err().reason, Reason::EngineNotConnected);
    // Another key ends everything that the one before had.
    let hand = ByHand::begin(&gate, None).await;
    gate.gateway.engines.enrol(&corp(), None);
    assert_eq!(refusal(hand.part(0, &framed).await), code::KEY);
    assert_eq!(hand.ended().await.1.unwrap_err().reason, Reason::EngineNotConnected);
}

/// Requests that are made by hand.
struct Raw {
    http: Http,
    url: String,
    key: SigningKey,
    stamp: Stamp,
}

impl Raw {
    async fn new(gate: &Gate) -> Self {
        let http = Http::new(Some(&std::fs::read(gate.path("ca.pem")).unwrap())).unwrap();
        let url = gate.gateway.address().to_owned();
        let greeting =
            http.ask(Ask::get(Url::parse(&format!("{url}{}", path::HELLO)).unwrap()), 10_000).await.unwrap();
        let greeting: wire::Greeting = serde_json::from_slice(&greeting.body).unwrap();
        gate.key();
        let key = Identity::read(&gate.path("state")).unwrap().key;
        gate.gateway.engines.enrol(&corp(), Some(key.public().unwrap()));
        let stamp = Stamp {
            key: key.public().unwrap().id(),
            instance: greeting.instance,
            session: "0".repeat(48),
            at: SystemClock.now(),
            nonce: Stamp::nonce().unwrap(),
            body: digest(b""),
        };
        Self { http, url, key, stamp }
    }

    /// A new stamp.
    fn fresh(&self) -> Stamp {
        Stamp { nonce: Stamp::nonce().unwrap(), at: SystemClock.now(), ..self.stamp.clone() }
    }

    /// Sends a request with this signature; how it is refused, if it is.
    async fn ask(&self, method: Method, at: &str, signature: Option<&str>, body: &[u8]) -> Option<Refusal> {
        let ask = Ask::of(method, Url::parse(&format!("{}{at}", self.url)).unwrap())
            .carrying(body.to_vec(), "application/zstd");
        let ask = match signature {
            Some(signature) => ask.with_header("authorization", signature).unwrap(),
            None => ask,
        };
        let answer = self.http.ask(ask, 1 << 20).await.unwrap();
        (answer.status != 200).then(|| serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_counts_once_as_it_was_signed_for_a_moment_and_this_process() {
    let gate = Gate::open();
    let raw = Raw::new(&gate).await;
    let at = path::CHECK;
    let code_of =
        |refused: Option<Refusal>| refused.map_or_else(|| "fine".to_owned(), |refusal| refusal.code);
    let sign = |stamp: &Stamp| raw.key.sign(stamp, "POST", at);
    let good = sign(&raw.fresh());
    assert_eq!(raw.ask(Method::POST, at, Some(&good), b"").await, None);
    assert_eq!(code_of(raw.ask(Method::POST, at, Some(&good), b"").await), code::REPLAYED);
    for (what, signature, method, to, body, expected) in [
        ("no signature", None, Method::POST, at, &b""[..], code::UNSIGNED),
        ("none that is one", Some("Bearer x".to_owned()), Method::POST, at, b"", code::UNSIGNED),
        ("of another path", Some(sign(&raw.fresh())), Method::POST, path::WORK, b"", code::SIGNATURE),
        ("with a query", Some(sign(&raw.fresh())), Method::POST, "/v1/check?x=1", b"", code::SIGNATURE),
        ("of another body", Some(sign(&raw.fresh())), Method::POST, at, b"x", code::SIGNATURE),
        ("of another method", Some(sign(&raw.fresh())), Method::PUT, at, b"", code::NOT_FOUND),
        (
            "for another process",
            Some(sign(&Stamp { instance: "0".repeat(32), ..raw.fresh() })),
            Method::POST,
            at,
            b"",
            code::INSTANCE,
        ),
        (
            "to nowhere",
            Some(raw.key.sign(&raw.fresh(), "POST", "/v1/tasks/x")),
            Method::POST,
            "/v1/tasks/x",
            b"",
            code::NOT_FOUND,
        ),
    ] {
        let came = raw.ask(method, to, signature.as_deref(), body).await;
        assert_eq!(code_of(came), expected, "{what}");
    }
    let stranger = SigningKey::generate().unwrap().0;
    let of_stranger = Stamp { key: stranger.public().unwrap().id(), ..raw.fresh() };
    let came = raw.ask(Method::POST, at, Some(&stranger.sign(&of_stranger, "POST", at)), b"").await;
    assert_eq!(code_of(came), code::KEY);
    // With the name of the key that is enrolled, and another key's signature.
    let came = raw.ask(Method::POST, at, Some(&stranger.sign(&raw.fresh(), "POST", at)), b"").await;
    assert_eq!(code_of(came), code::SIGNATURE);

    for minutes in [-10, 10] {
        let other = raw.fresh().at.saturating_add(SignedDuration::from_mins(minutes)).unwrap();
        let refused =
            raw.ask(Method::POST, at, Some(&sign(&Stamp { at: other, ..raw.fresh() })), b"").await.unwrap();
        assert_eq!(refused.code, code::CLOCK);
        let side = if minutes < 0 { "10 minutes behind" } else { "10 minutes ahead of" };
        assert!(refused.message.contains(side), "{}", refused.message);
        let state = gate.state();
        // Somebody may have kept a request from before one that was taken: it changes nothing that is shown.
        let shown = (minutes > 0).then_some(Trouble { code: code::CLOCK, why: refused.message });
        assert!(!state.is_connected && state.seen.and_then(|seen| seen.trouble) == shown);
    }

    let long = vec![0; 70_000];
    let stamp = Stamp { body: digest(&long), ..raw.fresh() };
    assert_eq!(code_of(raw.ask(Method::POST, at, Some(&sign(&stamp)), &long).await), code::TOO_LARGE);
    // Revoked: from this moment on.
    gate.gateway.engines.enrol(&corp(), None);
    let refused = raw.ask(Method::POST, at, Some(&sign(&raw.fresh())), b"").await.unwrap();
    assert!(refused.code == code::KEY && refused.message.contains("revoked"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_and_a_newer_engine_are_told_what_to_update_and_so_is_the_status() {
    let gate = Gate::open();
    let file = gate.settings("ldap://127.0.0.1:1", gate.port, "");
    let line = gate.line(&file);
    for (oldest, newest, remedy) in [(0, 0, "too old: update it"), (98, 99, "update the operator")] {
        let error = work(&line, &Hello { oldest, newest, ..hello() }).await.unwrap_err();
        assert_eq!(error.code(), Some(code::VERSION));
        assert!(error.to_string().contains(remedy), "{error}");
        let trouble = gate.state().seen.unwrap().trouble.unwrap();
        assert!(trouble.code == code::VERSION && trouble.why.contains(remedy), "{}", trouble.why);
    }
    // One that also speaks this version is served, whatever else it says.
    let mut newer =
        serde_json::to_value(Hello { newest: 99, has: ["x".to_owned()].into(), ..hello() }).unwrap();
    newer["newField"] = true.into();
    let told: Work = line.say(path::WORK, pack(&newer).unwrap(), wire::LETTER).await.unwrap();
    assert!(told.task.is_none() && told.dropped.len() == 1);
    let state = gate.state();
    let seen = state.seen.unwrap();
    assert!(
        state.is_connected
            && seen.trouble.is_none()
            && (seen.host.as_str(), seen.software.as_str()) == ("inside", "9.9")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_there_or_stopped_reads_nothing_and_says_so() {
    let gate = Gate::open();
    let (_, end) = read(gate.source(directory(&[])), None).await;
    let error = end.unwrap_err();
    assert!(error.reason == Reason::EngineNotConnected && error.message.contains("joinCommand"), "{error}");
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    // The directory that the engine has is another one than the connector's.
    let _engine = Running::start(&gate, &slapd.url(), gate.port, "");
    let domain = wire::Directory { server: wire::Server::ActiveDirectory, ..directory(&[]) };
    let error = read(gate.source(domain), None).await.1.unwrap_err();
    assert!(error.message.contains("another one under directory"), "{error}");
    let filter = wire::Directory { user_filter: Some("(userPassword=a*)".to_owned()), ..directory(&[]) };
    let error = read(gate.source(filter), None).await.1.unwrap_err();
    assert!(error.reason == Reason::Withheld && error.message.contains("userpassword"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_engine_withholds_is_unknown_and_named_and_nobody_is_missing() {
    let slapd = Slapd::start(&Setup { ldif: &large(30, 2, 10, 10), ..Setup::default() });
    let gate = Gate::open();
    let base = crate::support::slapd::SUFFIX;
    let rules = format!(
        "withhold:\n  attributes: [mail, telephoneNumber]\n  bases: [\"uid=u000003,ou=people,{base}\"]\nnotMoreOftenThan: 1h\n"
    );
    let _engine = Running::start(&gate, &slapd.url(), gate.port, &rules);
    let (came, end) = read(gate.source(directory(&["mail", "userPassword", "title"])), None).await;
    let end = end.unwrap();
    assert!(!end.fields.contains("mail") && end.fields.contains("title"));
    assert_eq!(end.attributes, ["title".to_owned()].into());
    let notices = end.notices.join("\n");
    for name in ["mail", "telephoneNumber", "userPassword", "1 entry by their bases", "members of "] {
        assert!(notices.contains(name), "{name} is not in {notices}");
    }
    let (all, _) = read(direct(&slapd, &["mail"]), None).await;
    let hidden = all.iter().find_map(|change| match change {
        Change::Replace(entry) if entry.dn.starts_with("uid=u000003,") => Some(entry.anchor.clone()),
        _ => None,
    });
    let hidden = hidden.unwrap();
    for change in &came {
        let Change::Replace(entry) = change else { continue };
        assert!(
            entry.anchor != hidden
                && !entry.fields.contains_key("mail")
                && !entry.attributes.contains_key("mail")
        );
        let names = |references: &[Reference]| {
            references.iter().any(|one| matches!(one, Reference::Dn(dn) if dn.as_str().contains("u000003")))
        };
        assert!(!names(entry.members.references()));
        if let (Members::Partial(_, why), true) = (&entry.members, entry.dn.starts_with("cn=")) {
            assert!(why.contains("withholds"), "{why}");
        }
    }
    assert!(came.len() > 20 && came.len() < all.len());
    // It is there, and that it is may not be told: it is not settled, so it is not missing.
    let session = gate.source(directory(&["mail", "userPassword", "title"])).open(None);
    let looked_up = session.look_up(&[hidden], &std::collections::HashMap::new()).await.unwrap().unwrap();
    assert!(looked_up.missing.is_empty() && looked_up.found.is_empty() && looked_up.called.is_empty());
    // The directory is not read as often as the cluster likes.
    let error = read(gate.source(directory(&[])), None).await.1.unwrap_err();
    assert!(
        error.reason == Reason::Throttled
            && error.retry_after.is_some_and(|wait| wait > Duration::from_mins(50)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_says_counts_for_the_next_task_and_for_what_is_under_way() {
    let slapd = Slapd::start(&Setup { ldif: &large(30, 2, 10, 10), ..Setup::default() });
    let gate = Gate::open();
    // It takes connections, and never says anything.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", silent.local_addr().unwrap());
    let _engine = Running::start(&gate, &url, gate.port, "");
    let within = Duration::from_mins(1);
    let first = tokio::spawn(read(gate.source(directory(&[])), None));
    let _connection = tokio::time::timeout(within, silent.accept()).await.unwrap().unwrap();
    // By now the engine waits for more work.
    let changed = yaml(&gate.path(""), &slapd.url(), gate.port, "withhold:\n  attributes: [mail]\n");
    std::fs::write(gate.path("changed.yaml"), changed).unwrap();
    std::fs::rename(gate.path("changed.yaml"), gate.path("engine.yaml")).unwrap();
    let second = tokio::time::timeout(within, read(gate.source(directory(&[])), None)).await.unwrap();
    let first = tokio::time::timeout(within, first).await.unwrap().unwrap();
    for (came, end) in [first, second] {
        let end = end.unwrap();
        assert!(!end.fields.contains("mail") && end.fields.contains("title"), "{:?}", end.fields);
        assert!(came.len() > 20, "{}", came.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_many_parts_comes_whole() {
    let gate = Gate::open();
    let mut hand = ByHand::begin(&gate, None).await;
    // Nothing of it can be packed.
    let mut seed = 7_u64;
    let mut text = || {
        let next = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:08x}", seed >> 32)
        };
        (0..4000).map(next).collect::<String>()
    };
    let changes: Vec<Change> = (0..60).map(|_| person(&text())).collect();
    let packed = batch(changes.clone());
    let parts: Vec<&[u8]> = packed.chunks(wire::PART).collect();
    assert!(parts.len() > 1);
    for (at, part) in parts.iter().enumerate() {
        let (framed, chain) = hand.chain.part(part, at + 1 == parts.len());
        hand.part(hand.chain.next(), &framed).await.unwrap();
        hand.chain = chain;
    }
    hand.end(hand.complete()).await.unwrap();
    let (came, end) = hand.ended().await;
    assert!(end.is_ok() && came == changes);
    let now = Timestamp::from_second(1).unwrap();
    assert!(unpack::<Vec<wire::Change>>(&packed, 1000).is_err() && now < SystemClock.now());
}
