# The two commands that matter: `make demo` and `make test`. `make` alone lists the rest.

.DEFAULT_GOAL := help
CARGO ?= cargo
# What the tests need besides Rust: OpenLDAP and Samba, Python for third-party clients, a C compiler for SQLite and the TLS
# library, promtool for the alerts.
PACKAGES := slapd ldap-utils python3 python3-venv gcc cmake make openssl util-linux prometheus \
	samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind krb5-user ldb-tools time systemd
# A browser and its driver, unless the machine has one (chromedriver).
BROWSER_PACKAGES := chromium chromium-driver
# What runs pods on a node of our own, if this machine supports that.
NODE_PACKAGES := curl iproute2 containerd runc containernetworking-plugins iptables

# LDAP servers of others: one is Debian's, and three are fetched by Maven and run by Java.
SERVER_PACKAGES := 389-ds-base openjdk-17-jdk-headless maven

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the release binary: target/release/rollcall
	$(CARGO) build --release --locked

.PHONY: image
image: build ## Write the image of the release binary as an archive, without Docker: target/rollcall-image.tar
	@./scripts/image target/release/rollcall

.PHONY: demo
demo: ## A ten-second tour with a made-up company
	$(CARGO) run --release --locked -- demo

.PHONY: cluster
cluster: setup ## Start a control plane on this machine, without Docker, with the operator and a company in it
	@./scripts/cluster

.PHONY: test
test: setup ## Install what the tests need, then run everything that continuous integration runs
	@command -v chromedriver >/dev/null || ./scripts/setup $(BROWSER_PACKAGES)
	@command -v npm >/dev/null || ./scripts/setup nodejs npm
	@if why=$$(./scripts/node --possible); then ./scripts/setup $(NODE_PACKAGES); else echo "no pod will be run: $$why" >&2; fi
	@./scripts/test-cluster >/dev/null
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked

.PHONY: bench
bench: setup ## Time a sync of 10,000 to 1,000,000 people in RUNS rounds, and write the table of docs/performance.md
	@./scripts/setup time
	$(CARGO) bench --locked --bench scale -- --runs $(or $(RUNS),5) --page

.PHONY: simulate
simulate: setup ## Run RUNS random scenarios from SEED on, and check the promises
	RUNS=$(or $(RUNS),10000) SEED=$(or $(SEED),1) $(CARGO) test --locked --profile simulate --test simulate lives_keep -- --nocapture

.PHONY: fuzz
fuzz: setup ## Damage so many EXPORTS, CONVERSATIONS and REQUESTS at random, and each kind of text for MINUTES, from SEED on
	EXPORTS=$(or $(EXPORTS),100000) CONVERSATIONS=$(or $(CONVERSATIONS),20000) REQUESTS=$(or $(REQUESTS),100000) \
		MINUTES=$(or $(MINUTES),30) SEED=$(or $(SEED),1) \
		$(CARGO) test --locked --profile simulate --test mutations -- --nocapture

.PHONY: damage
damage: setup ## Change a byte of a store, DAMAGES times from SEED on, and check that the damage is noticed
	DAMAGES=$(or $(DAMAGES),1000) SEED=$(or $(SEED),1) $(CARGO) test --locked --profile simulate --test it damage:: -- --nocapture

.PHONY: many
many: setup build ## Give one operator CONNECTORS connectors and three policies each, on a real apiserver, and hold it to its bounds
	CONNECTORS=$(or $(CONNECTORS),1000) ROLLCALL_BINARY=target/release/rollcall $(CARGO) test --locked --test many many_ -- --nocapture

.PHONY: breaks
breaks: setup ## Break each promise on purpose, and let the simulator find it
	./scripts/breaks

.PHONY: faults
faults: setup ## Kill processes, cut connections, stop servers and fill the disk, often, on real servers, and print the counts
	KILLS=$(or $(KILLS),200) SEED=$(or $(SEED),1) $(CARGO) test --locked --test it -- --nocapture kills:: disk:: cuts::
	OUTAGE=$(or $(OUTAGE),600) $(CARGO) test --locked --test it -- --nocapture replica::while_the_apiserver_is_away
	$(CARGO) build --locked --profile simulate
	LIVES=$(or $(LIVES),300) DOMAINS=$(or $(DOMAINS),50) CHANGES=200 SEED=$(or $(SEED),1) ROLLCALL_BINARY=target/simulate/rollcall \
		$(CARGO) test --locked --test it -- --nocapture sync_repl::random feeds::random

.PHONY: entra-lives
entra-lives: setup ## Read LIVES random lives of a tenant of Microsoft Entra ID from SEED on, through every fault of its service
	LIVES=$(or $(LIVES),1000) SEED=$(or $(SEED),1) \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture entra_lives::

.PHONY: entra-large
entra-large: setup build ## Read a tenant of Microsoft Entra ID with PEOPLE users and ten times as many memberships, and hold it to its bounds
	@./scripts/setup time
	PEOPLE=$(or $(PEOPLE),100000) ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture entra_large::

.PHONY: google-lives
google-lives: setup ## Read LIVES random lives of a customer of Google Workspace from SEED on, through every fault of its service
	LIVES=$(or $(LIVES),1000) SEED=$(or $(SEED),1) \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture google_lives::

.PHONY: google-large
google-large: setup build ## Read a customer of Google Workspace with PEOPLE users and ten times as many memberships, and hold it to its bounds
	@./scripts/setup time
	PEOPLE=$(or $(PEOPLE),100000) ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture google_large::

.PHONY: scim-large
scim-large: setup build ## Fill a real SCIM server with PEOPLE users and ten times as many memberships, at its rate, and through KILLS kills
	PEOPLE=$(or $(PEOPLE),10000) KILLS=$(or $(KILLS),100) SEED=$(or $(SEED),1) ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture --test-threads 1 scim_large::

.PHONY: mimecast-large
mimecast-large: setup build ## Fill a tenant of Mimecast with PEOPLE users and a twentieth as many groups, at its limit of CALLS, and through KILLS kills
	PEOPLE=$(or $(PEOPLE),10000) CALLS=$(or $(CALLS),100) KILLS=$(or $(KILLS),50) SEED=$(or $(SEED),1) \
		ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture --test-threads 1 mimecast_large::

.PHONY: domino-large
domino-large: setup build ## Read a Domino Directory with PEOPLE people, in one search and in parts, and hold it to its bounds
	@./scripts/setup time
	PEOPLE=$(or $(PEOPLE),100000) ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture --test-threads 1 domino_large::

.PHONY: servers
servers: setup ## Live the life of a person on 389 Directory Server, OpenDJ, ApacheDS and UnboundID, and write the table of docs/directories/tested.md
	@./scripts/setup $(SERVER_PACKAGES)
	ROLLCALL_GENERATE=1 $(CARGO) test --locked --test it -- --include-ignored --test-threads 2 servers::

.PHONY: engine-large
engine-large: setup build ## Read PEOPLE users and ten times as many memberships through a Sync Engine, through FAULTS faults of each kind, and hold it to its bounds
	PEOPLE=$(or $(PEOPLE),100000) FAULTS=$(or $(FAULTS),10) SEED=$(or $(SEED),1) ROLLCALL_BINARY=target/release/rollcall \
		$(CARGO) test --locked --profile simulate --test it -- --nocapture --test-threads 1 engine_large::

.PHONY: generate
generate: ## Write crds/, deploy/, docs/reference/ and the chart's definitions again
	ROLLCALL_GENERATE=1 $(CARGO) test --locked --test it generated

.PHONY: release-crds
release-crds: ## Release the current schemas, which later ones may only extend
	mkdir -p crds/released/v1alpha1
	cp crds/*.yaml crds/released/v1alpha1/

.PHONY: setup
setup:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@./scripts/setup $(PACKAGES)
