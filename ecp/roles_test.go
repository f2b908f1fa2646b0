package ecp

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/roles.md from the tables")

const rolesDoc = "../docs/roles.md"

// The document is made from the table, so that it cannot say anything else.
func TestRolesDocument(t *testing.T) {
	want := rolesDocument()
	if *update {
		require.NoError(t, os.WriteFile(rolesDoc, []byte(want), 0o644))
	}
	got, err := os.ReadFile(rolesDoc)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "docs/roles.md is out of date: go test ./ecp -run TestRolesDocument -update")
}

func rolesDocument() string {
	var b strings.Builder
	b.WriteString(`# Roles

This page is made from the tables in package ` + "`ecp`" + ` by a test; change the tables, not the page.

A user has one or more grants, an API token has one. A grant is a role with its reach:

| role | reaches |
|---|---|
`)
	for _, r := range roleInfos {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.Role, r.Reaches)
	}
	b.WriteString("\nWithin its reach a role holds these rights:\n\n| right | |")
	for _, role := range Roles() {
		fmt.Fprintf(&b, " %s |", role)
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(Roles())) + "\n")
	for _, row := range RoleTable() {
		fmt.Fprintf(&b, "| `%s` | %s |", row.Right, row.Meaning)
		for _, role := range Roles() {
			b.WriteString(map[bool]string{true: " yes |", false: " – |"}[slices.Contains(row.Roles, role)])
		}
		b.WriteString("\n")
	}
	b.WriteString(`
- What an actor may not read does not exist for it: the answer is ` + "`not_found`" + `.
  What it may read but not do is ` + "`denied`" + `.
- Everybody sees the organisation they have a grant in, and themselves.
- Nobody gives a grant they do not hold themselves. A user with grants outside an administrator's reach keeps those, and
  can be disabled or given a password only by who reaches all of them.
- The last user with the role ` + "`system`" + ` who can log in cannot be removed, disabled or
  demoted, and neither can the last token of that role while no such user can log in.
- A session holds what its user holds at every call. A token holds its one grant until it expires or is deleted,
  whatever becomes of who made it.
- A failed attempt at something without the right is written to the audit, as every change is; for all but a
  system administrator so is one at something that is not there, since the two must not be told apart.
`)
	return b.String()
}

// Each role holds the rights of every lower one.
func TestHigherRolesHoldMore(t *testing.T) {
	require.Len(t, rights, len(roleInfos))
	for i, lower := range Roles() {
		for _, higher := range Roles()[:i] {
			for right := range rights[lower] {
				require.True(t, rights[higher][right], "%s %s", higher, right)
			}
		}
	}
}
