#!/bin/bash
# Expected: `title:` with nothing behind it is a line that every reader of LDIF takes: the value is empty.
# Fact: the LDIF package of go-ldap ends there with an error, and has the entries before it alone. The same value with a blank
#   behind the colon it takes, and `title::`, too.
# Why it matters: ldapsearch and db2ldif write the bare colon. One such line, and everybody behind it is missing; if the
#   error is only logged, they were deleted.
# Source: RFC 2849 (value-spec; SAFE-STRING may be empty). Versions are printed.
. "$(dirname "$0")/lib.sh"
version=v0.0.0-20250910174327-aa3bc3095c92
cd "$W" && cat > main.go <<'G'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/go-ldap/ldif"
)

func main() {
	for _, line := range os.Args[1:] {
		l := &ldif.LDIF{}
		err := ldif.Unmarshal(strings.NewReader("dn: uid=ada,dc=example,dc=test\nuid: ada\n\ndn: uid=bob,dc=example,dc=test\nuid: bob\n"+line+"\n\ndn: uid=cyd,dc=example,dc=test\nuid: cyd\n\n"), l)
		fmt.Println(line, "->", len(l.Entries), "entries", err)
	}
}
G
go mod init test.example > go.log 2>&1
go get "github.com/go-ldap/ldif@$version" >> go.log 2>&1 || { tail -5 go.log; exit 2; }
echo "github.com/go-ldap/ldif $version"
go run main.go title: 'title: ' title:: 'title: x' > out
fact "an empty value of the second of three" "title: -> 1 entries Error in line 7: empty value" "$(sed -n 1p out)"
fact "an empty value after a blank" "title:  -> 3 entries <nil>" "$(sed -n 2p out)"
fact "an empty value in base64" "title:: -> 3 entries <nil>" "$(sed -n 3p out)"
fact "a value" "title: x -> 3 entries <nil>" "$(sed -n 4p out)"
verdict
