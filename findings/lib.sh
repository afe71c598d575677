# Shared by the scripts of this folder, which source it: a temp folder, servers on loopback, and what was seen against
# what is written. Everything that was started here ends with the script.
set -euo pipefail
W=$(mktemp -d)
PIDS=()
CHANGED=0
DIRSRV=
finish() {
  local status=$?
  if [ -n "$DIRSRV" ]; then
    dirsrv_stop
    rm -rf "/etc/dirsrv/slapd-$DIRSRV" "/var/lib/dirsrv/slapd-$DIRSRV" "/var/log/dirsrv/slapd-$DIRSRV" "/run/lock/dirsrv/slapd-$DIRSRV" "/run/dirsrv/slapd-$DIRSRV.pid"
  fi
  for pid in "${PIDS[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2> /dev/null || true; done
  rm -rf "$W"
  exit "$status"
}
trap finish EXIT

# packages NAME...: installs what is missing (Debian) and prints the versions.
packages() {
  local missing=()
  for name in "$@"; do dpkg-query -W -f '${Status}' "$name" 2> /dev/null | grep -q ' installed' || missing+=("$name"); done
  if [ ${#missing[@]} -gt 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > "$W/apt.log" 2>&1 \
      || { tail -5 "$W/apt.log"; exit 2; }
  fi
  dpkg-query -W -f '${Package} ${Version}\n' "$@"
}

# python_with PACKAGE==VERSION...: a virtual environment in $W/py.
python_with() {
  python3 -m venv "$W/py"
  "$W/py/bin/pip" -q --disable-pip-version-check install "$@"
  printf '%s\n' "$@"
}

# node_with PACKAGE@VERSION...: modules in $W/node_modules.
node_with() {
  (cd "$W" && echo '{"private": true}' > package.json && npm install --silent --no-audit --no-fund "$@" > npm.log 2>&1) || { tail -5 "$W/npm.log"; exit 2; }
  printf '%s\n' "$@"
}

# jars GROUP:NAME:VERSION...: their jars and what these need, as CLASSPATH.
jars() {
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>test.example</groupId><artifactId>finding</artifactId><version>1</version><dependencies>'
    local IFS=:
    for one in "$@"; do
      read -r group name version <<< "$one"
      echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } > "$W/pom.xml"
  (cd "$W" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$W/jars" > mvn.log 2>&1) || { tail -5 "$W/mvn.log"; exit 2; }
  export CLASSPATH="$W/jars/*:$W"
  printf '%s\n' "$@"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# until_true SECONDS COMMAND...: waits for the command to succeed.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "waited in vain: $*"; exit 2; }
    sleep 0.1
  done
}

# slapd_start DATA.ldif [lines for the whole server] [lines for the database]: an OpenLDAP server of dc=example,dc=test at $URL.
slapd_start() {
  local dir
  dir=$(mktemp -d "$W/slapd.XXXX")
  mkdir "$dir/db"
  URL=ldap://127.0.0.1:$(free_port)
  {
    for schema in core cosine inetorgperson nis dyngroup; do echo "include /etc/ldap/schema/$schema.schema"; done
    echo "modulepath /usr/lib/ldap"
    echo "moduleload back_mdb"
    printf 'loglevel 0\n%b\n' "${2:-}"
    printf 'database mdb\nmaxsize 268435456\nsuffix dc=example,dc=test\nrootdn cn=admin,dc=example,dc=test\nrootpw secret\ndirectory %s/db\n%b\n' "$dir" "${3:-}"
  } > "$dir/slapd.conf"
  SLAPD_CONF=$dir/slapd.conf
  /usr/sbin/slapadd -q -f "$SLAPD_CONF" -l "$1"
  /usr/sbin/slapd -d 0 -f "$SLAPD_CONF" -h "$URL" > "$dir/log" 2>&1 &
  PIDS+=($!)
  until_true 20 ldapsearch -x -H "$URL" -s base -b ''
}
# as_admin TOOL ARGUMENT...: ldapsearch, ldapmodify and so on, bound as the administrator.
as_admin() { local tool=$1; shift; "$tool" -x -H "$URL" -D cn=admin,dc=example,dc=test -w secret "$@"; }

# samba_start: a domain controller of DC=ad,DC=example,DC=test at $URL (as root, since its ports are fixed).
samba_start() {
  local ip dir=$W/dc
  ip=127.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1))
  (
    cd "$W"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 30 -subj /CN=dc1.ad.example.test -addext "subjectAltName=IP:$ip"
    chmod 600 key.pem
  ) > /dev/null 2>&1
  samba-tool domain provision --server-role=dc --use-rfc2307 --realm=AD.EXAMPLE.TEST --domain=ADTEST --host-name=dc1 --host-ip="$ip" \
    --adminpass='Passw0rd.Admin!' --dns-backend=NONE --targetdir="$dir" --option="interfaces=$ip/8" --option="bind interfaces only=yes" \
    --option="vfs objects=" > "$W/provision.log" 2>&1 || { tail -5 "$W/provision.log"; exit 2; }
  mkdir -p "$dir"/{run,lock,ncalrpc,ntp,winbindd,cache}
  SMB_CONF=$W/smb.conf SAM=$dir/private/sam.ldb
  printf '%s\n' '[global]' 'workgroup = ADTEST' 'realm = AD.EXAMPLE.TEST' 'netbios name = DC1' 'server role = active directory domain controller' \
    'server services = ldap' 'dcerpc endpoint servers = -winreg -srvsvc' "interfaces = $ip/8" 'bind interfaces only = yes' "private dir = $dir/private" \
    "state directory = $dir/state" "cache directory = $dir/cache" "lock directory = $dir/lock" "pid directory = $dir/run" "ncalrpc dir = $dir/ncalrpc" \
    "binddns dir = $dir/bind-dns" "ntp signd socket directory = $dir/ntp" "winbindd socket directory = $dir/winbindd" "log file = $dir/log.%m" \
    "tls keyfile = $W/key.pem" "tls certfile = $W/ca.pem" "tls cafile = $W/ca.pem" 'load printers = no' 'printcap name = /dev/null' 'disable spoolss = yes' > "$SMB_CONF"
  samba -F --no-process-group -M single -s "$SMB_CONF" > "$W/samba.log" 2>&1 &
  PIDS+=($!)
  URL=ldaps://$ip DOMAIN=DC=ad,DC=example,DC=test
  export LDAPTLS_CACERT=$W/ca.pem
  until_true 60 in_domain ldapsearch -s base -b ''
}
SAMBA=(samba samba-ad-provision samba-dsdb-modules samba-vfs-modules ldb-tools ldap-utils openssl)
# in_domain TOOL ARGUMENT...: ldapsearch, ldapmodify and so on, bound as its administrator.
in_domain() { local tool=$1; shift; "$tool" -x -H "$URL" -D 'ADTEST\Administrator' -w 'Passw0rd.Admin!' "$@"; }
# value ATTRIBUTE DN: its values there, on one line.
value() { in_domain ldapsearch -LLL -o ldif-wrap=no -s base -b "$2" "$1" | sed -n "s/^$1: //p" | sort | xargs -d '\n'; }

# dirsrv_start: a 389 Directory Server of dc=example,dc=test at $URL (as root); dirsrv_stop ends it, for tools that want that.
dirsrv_start() {
  DIRSRV=finding$$
  local port conf=/etc/dirsrv/slapd-$DIRSRV
  port=$(free_port)
  printf '%s\n' '[general]' 'config_version = 2' 'full_machine_name = localhost' 'start = False' 'strict_host_checking = False' 'systemd = False' '[slapd]' \
    "instance_name = $DIRSRV" "port = $port" 'secure_port = 0' 'self_sign_cert = False' 'root_password = secretsecret' > "$W/ds.inf"
  dscreate from-file "$W/ds.inf" > "$W/dscreate.log" 2>&1 || true # it ends in an error where there is no systemd
  [ -e "$conf/dse.ldif" ] || { tail -5 "$W/dscreate.log"; exit 2; }
  # The folded line of the password is replaced by one that the server's own tool made.
  sed -i -e ':a; N; $!ba; s/\n //g' -e 's/\n\(nsslapd-port: [^\n]*\)/\n\1\nnsslapd-listenhost: 127.0.0.1/' \
    -e "s|\n\(nsslapd-rootpw: \)[^\n]*|\n\1$(pwdhash -s PBKDF2-SHA512 secretsecret)|" "$conf/dse.ldif"
  local place places=("$conf" /run/dirsrv /run/lock/dirsrv "/var/lib/dirsrv/slapd-$DIRSRV" "/var/log/dirsrv/slapd-$DIRSRV")
  for place in "${places[@]}"; do mkdir -p "$place"; done
  chown -R dirsrv: "${places[@]}"
  URL=ldap://127.0.0.1:$port
  dirsrv_run
  printf '%s\n' 'dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config' 'objectClass: extensibleObject' 'objectClass: nsBackendInstance' 'cn: userRoot' 'nsslapd-suffix: dc=example,dc=test' '' \
    'dn: cn="dc=example,dc=test",cn=mapping tree,cn=config' 'objectClass: extensibleObject' 'objectClass: nsMappingTree' 'cn: dc=example,dc=test' 'nsslapd-state: backend' 'nsslapd-backend: userRoot' '' \
    | as_manager ldapadd > /dev/null
}
dirsrv_run() {
  /usr/sbin/ns-slapd -D "/etc/dirsrv/slapd-$DIRSRV" -i "/run/dirsrv/slapd-$DIRSRV.pid" -d 0 > "$W/dirsrv.log" 2>&1 &
  until_true 60 as_manager ldapsearch -s base -b ''
}
dirsrv_stop() {
  local pid
  pid=$(cat "/run/dirsrv/slapd-$DIRSRV.pid" 2> /dev/null) || return 0
  kill "$pid" 2> /dev/null || return 0
  while kill -0 "$pid" 2> /dev/null; do sleep 0.2; done
}
# as_manager TOOL ARGUMENT...: ldapsearch, ldapmodify and so on, bound as its directory manager.
as_manager() { local tool=$1; shift; "$tool" -x -H "$URL" -D 'cn=Directory Manager' -w secretsecret "$@"; }

# apacheds_start [LIMIT]: an ApacheDS of dc=example,dc=test at $URL, where a search of others than its administrator gives LIMIT entries at
# most. It offers content synchronization.
apacheds_start() {
  local port
  port=$(free_port)
  jars org.apache.directory.server:apacheds-all:2.0.0.AM27
  URL=ldap://127.0.0.1:$port
  java -DworkingDirectory="$W/data" -Djava.io.tmpdir="$W" -cp "$CLASSPATH" "$(dirname "${BASH_SOURCE[0]}")/../tests/servers/ApacheDs.java" "$port" "${1:-0}" > "$W/apacheds.log" 2>&1 &
  PIDS+=($!)
  until_true 120 as_system ldapsearch -s base -b ''
}
# as_system TOOL ARGUMENT...: bound as its administrator.
as_system() { local tool=$1; shift; "$tool" -x -H "$URL" -D uid=admin,ou=system -w secret "$@"; }

# unboundid_start [LIMIT]: UnboundID's in-memory server of dc=example,dc=test at $URL, the same.
unboundid_start() {
  local port
  port=$(free_port)
  jars com.unboundid:unboundid-ldapsdk:7.0.2
  URL=ldap://127.0.0.1:$port
  java -cp "$CLASSPATH" "$(dirname "${BASH_SOURCE[0]}")/../tests/servers/UnboundId.java" "$port" "${1:-0}" > "$W/unboundid.log" 2>&1 &
  PIDS+=($!)
  until_true 60 as_manager ldapsearch -s base -b ''
}

# opendj_start: an OpenDJ of dc=example,dc=test at $URL.
opendj_start() {
  local port
  port=$(free_port)
  echo "org.openidentityplatform.opendj:opendj-server-legacy:4.6.5:zip"
  (cd "$W" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openidentityplatform.opendj:opendj-server-legacy:4.6.5:zip -DoutputDirectory="$W" > mvn.log 2>&1) || { tail -5 "$W/mvn.log"; exit 2; }
  (cd "$W" && python3 -m zipfile -e opendj-server-legacy-4.6.5.zip . && chmod +x opendj/setup opendj/bin/* opendj/lib/*.sh)
  URL=ldap://127.0.0.1:$port
  "$W/opendj/setup" --cli --no-prompt --acceptLicense --rootUserDN 'cn=Directory Manager' --rootUserPassword secretsecret --ldapPort "$port" --adminConnectorPort "$(free_port)" \
    --baseDN dc=example,dc=test --hostname localhost --skipPortCheck --doNotStart > "$W/setup.log" 2>&1 || { tail -5 "$W/setup.log"; exit 2; }
  sed -i 's/^ds-cfg-listen-address: 0.0.0.0/ds-cfg-listen-address: 127.0.0.1/' "$W/opendj/config/config.ldif"
  "$W/opendj/bin/start-ds" --nodetach > "$W/opendj.log" 2>&1 &
  PIDS+=($!)
  until_true 120 as_manager ldapsearch -s base -b ''
}
JAVA=(ldap-utils openjdk-17-jdk-headless maven)

# company: the entries of a small one, as LDIF. person UID [more lines], group CN UID...
company() {
  printf 'dn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n'
  for ou in people groups; do printf 'dn: ou=%s,dc=example,dc=test\nobjectClass: organizationalUnit\nou: %s\n\n' "$ou" "$ou"; done
}
person() { printf 'dn: uid=%s,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s Example\nsn: Example\nmail: %s@example.test\n%b\n' "$1" "$1" "$1" "$1" "${2:-}"; }
group() {
  printf 'dn: cn=%s,ou=groups,dc=example,dc=test\nobjectClass: groupOfNames\ncn: %s\n' "$1" "$1"
  shift
  printf 'member: uid=%s,ou=people,dc=example,dc=test\n' "$@"
  echo
}

# fact WHAT EXPECTED SEEN: says whether it is still so.
fact() {
  if [ "$2" = "$3" ]; then
    printf 'still so: %s\n          %s\n' "$1" "$3"
  else
    printf 'CHANGED:  %s\n  was:    %s\n  is:     %s\n' "$1" "$2" "$3"
    CHANGED=1
  fi
}
# verdict: the last line of a script.
verdict() { exit "$CHANGED"; }
