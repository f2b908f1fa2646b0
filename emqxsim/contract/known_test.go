package contract_test

import (
	"fmt"
	"strings"
)

// row is a thing that EMQX's documents say and EMQX does not do. What was
// recorded of running brokers is right.
type row struct {
	versions string // of the document, with spaces between; "" = all
	call     string // "" = all
	has      string // in the complaint
	why      string
	whole    bool // only a whole document finds it, not the extract
}

// String names a row.
func (r row) String() string { return fmt.Sprintf("%s %s %q", r.versions, r.call, r.has) }

// known are the documents' errors, and answers they do not declare. A row that
// nothing needs fails the test.
var known = []row{
	{call: "GET /nodes", has: "status is not declared", why: "no call declares what wrong credentials get; " +
		"recorded is 401"},
	{call: "POST /login", has: "status is not declared", why: "a body without a password gets 400, as recorded"},
	{call: "POST /login", has: ".license.edition", why: "the edition is said as ee or ce, as recorded"},
	{call: "POST /logout", has: ".code", why: "a key gets API_KEY_NOT_ALLOW"},
	{call: "DELETE /cluster/{node}/force_leave", has: "status is not declared",
		why: "oneself cannot be removed: 400, as recorded"},
	{call: "GET /listeners/{id}", has: ".enable_authn", why: "true and false are declared as texts; recorded " +
		"are booleans"},
	{call: "PUT /listeners/{id}", has: ".enable_authn", why: "as GET"},
	{call: "GET /listeners/{id}", has: `doesn't match any schema from "oneOf"`, why: "enable_authn, again",
		whole: true},
	{call: "PUT /listeners/{id}", has: `doesn't match any schema from "oneOf"`, why: "as GET", whole: true},
	{call: "GET /actions", has: "matches more than one schema", why: "several kinds of actions have the same fields",
		whole: true},
}

var needed = map[string]bool{}

// isKnown looks a complaint up, and notes that its row is needed.
func isKnown(version string, m made, complaint string) bool {
	for _, k := range known {
		if (k.versions == "" || strings.Contains(" "+k.versions+" ", " "+version+" ")) &&
			(k.call == "" || k.call == m.call) && strings.Contains(complaint, k.has) {
			needed[k.String()] = true
			return true
		}
	}
	return false
}
