package validate

import (
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Grant says what is wrong with the form of a grant.
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
