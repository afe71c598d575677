#!/bin/bash
# Expected: a client library says that a search failed when the server ended it at its size limit (result 4).
# Fact: five libraries hand over the part as if it were all. ldap3 (Python): search() is True, and paged_search() just ends;
#   net-ldap (Ruby): search() gives the entries, and 4 counts as success in its own list; eldap (Erlang): {ok, ...} without the
#   code; lualdap: the loop ends; JNDI (Java): the loop with hasMoreElements() ends, only hasMore() throws.
#   Net::LDAP (Perl) and ldapts (Node.js) say it.
# Why it matters: who is beyond the limit was deleted, for everything that compares two such reads.
# Source: RFC 4511 section 4.5.1.4 and appendix A.2 (sizeLimitExceeded). Versions are printed.
. "$(dirname "$0")/lib.sh"
packages slapd ldap-utils libnet-ldap-perl ruby ruby-net-ldap erlang-base erlang-eldap lua5.3 lua-ldap openjdk-17-jdk-headless
python_with ldap3==2.9.1
node_with ldapts@8.2.0
{ company; for who in ada bob cyd dan; do person $who; done; } > "$W/data.ldif"
slapd_start "$W/data.ldif" 'sizelimit 2'
export PORT=${URL##*:} BASE=ou=people,dc=example,dc=test URL
fact "ldapsearch: entries, exit status" "2 4" "$(ldapsearch -x -LLL -H "$URL" -b $BASE '(uid=*)' 1.1 > "$W/out" 2> /dev/null; status=$?; echo "$(grep -c ^dn: "$W/out") $status")"
cat > "$W/a.py" <<'P'
import os, ldap3
c = ldap3.Connection(ldap3.Server("127.0.0.1", int(os.environ["PORT"])), auto_bind=True)
good = c.search(os.environ["BASE"], "(uid=*)")
print(good, len(c.response), c.result["description"], len(list(c.extend.standard.paged_search(os.environ["BASE"], "(uid=*)", paged_size=10))))
P
fact "ldap3: search(), entries, its result; entries of paged_search()" "True 2 sizeLimitExceeded 2" "$("$W/py/bin/python" "$W/a.py")"
cat > "$W/a.rb" <<'R'
require 'net/ldap'
l = Net::LDAP.new(host: '127.0.0.1', port: ENV['PORT'])
r = l.search(base: ENV['BASE'], filter: Net::LDAP::Filter.pres('uid'))
puts "#{r.class} #{r.size} #{Net::LDAP::ResultCodesSearchSuccess.include?(4)}"
R
fact "net-ldap: search(), entries; whether 4 is in its list of successes" "Array 2 true" "$(ruby "$W/a.rb")"
cat > "$W/a.erl" <<'L'
-module(a).
-export([main/0]).
main() ->
  {ok, H} = eldap:open(["127.0.0.1"], [{port, list_to_integer(os:getenv("PORT"))}]),
  ok = eldap:simple_bind(H, "cn=admin,dc=example,dc=test", "secret"),
  {Answer, Result} = eldap:search(H, [{base, os:getenv("BASE")}, {filter, eldap:present("uid")}, {size_limit, 2}]),
  [_, Entries | _] = tuple_to_list(Result),
  io:format("~p ~p~n", [Answer, length(Entries)]), halt().
L
(cd "$W" && erlc a.erl)
fact "eldap: answer and entries with a size limit of 2" "ok 2" "$(cd "$W" && erl -noshell -s a main)"
fact "lualdap: entries when the loop ends" 2 "$(lua5.3 -e 'local c = assert(require("lualdap").open_simple("127.0.0.1:" .. os.getenv("PORT"), "", "")); local n = 0; for _ in c:search{base = os.getenv("BASE"), scope = "subtree", filter = "(uid=*)"} do n = n + 1 end; print(n)')"
cat > "$W/A.java" <<'J'
import java.util.Hashtable;
import javax.naming.*;
import javax.naming.directory.*;
class A {
  public static void main(String[] a) throws Exception {
    var env = new Hashtable<String, String>();
    env.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
    env.put(Context.PROVIDER_URL, System.getenv("URL"));
    var context = new InitialDirContext(env);
    var controls = new SearchControls();
    controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
    int n = 0;
    for (var e = context.search(System.getenv("BASE"), "(uid=*)", controls); e.hasMoreElements(); e.nextElement()) n++;
    System.out.print(n + " end, ");
    n = 0;
    try {
      for (var e = context.search(System.getenv("BASE"), "(uid=*)", controls); e.hasMore(); e.next()) n++;
      System.out.println(n + " end");
    } catch (SizeLimitExceededException e) { System.out.println(n + " " + e.getClass().getSimpleName()); }
  }
}
J
fact "JNDI: by hasMoreElements(), by hasMore()" "2 end, 2 SizeLimitExceededException" "$(java "$W/A.java")"
fact "Net::LDAP: entries and code" "2 4" "$(perl -MNet::LDAP -e '$m = Net::LDAP->new($ENV{URL})->search(base => $ENV{BASE}, filter => "(uid=*)"); print $m->count, " ", $m->code')"
cat > "$W/a.mjs" <<'N'
import { Client } from 'ldapts';
const c = new Client({ url: process.env.URL });
try { console.log((await c.search(process.env.BASE, { filter: '(uid=*)' })).searchEntries.length); } catch (e) { console.log(e.constructor.name); }
await c.unbind();
N
fact "ldapts" "SizeLimitExceededError" "$(cd "$W" && node a.mjs)"
verdict
