package validate

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

func Description(p *fault.Fields, text string) {
	if n := utf8.RuneCountInString(text); n > ecp.MaxDescription {
		p.Add("description", "has %d characters; at most %d are allowed", n, ecp.MaxDescription)
	}
	if !utf8.ValidString(text) {
		p.Add("description", "is not valid UTF-8")
	}
	if i := strings.IndexFunc(text, deceives); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		p.Add("description", "has the character %U, which cannot be shown or changes how others are", r)
	}
}

// deceives reports whether a character has no place in a text for people:
// control characters but line end and tab, and those that turn the direction
// of what stands around them (U+202A to U+202E, U+2066 to U+2069).
func deceives(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Grant returns what is wrong with the form of a grant.
func Grant(p *fault.Fields, field string, g ecp.Grant) {
	if !slices.Contains(ecp.Roles(), g.Role) {
		p.Add(field+".role", `is %q; "system", "org-admin", "project-admin" and "user" are allowed`, g.Role)
		return
	}
	org, project := g.Role == ecp.RoleOrgAdmin, g.Role == ecp.RoleProjectAdmin || g.Role == ecp.RoleUser
	if why := validateReach(g.Org, org, ecp.ValidateOrg); why != "" {
		p.Add(field+".org", "%s", why)
	}
	if why := validateReach(g.Project, project, ecp.ValidateProject); why != "" {
		p.Add(field+".project", "%s", why)
	}
}

func validateReach(reach string, wanted bool, form func(string) string) string {
	switch {
	case !wanted && reach != "":
		return "does not belong to this role; leave it out"
	case wanted && reach == "":
		return "is missing: it is what the role reaches"
	case wanted:
		return form(reach)
	}
	return ""
}
