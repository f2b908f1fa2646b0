package ecp

import "slices"

// Role is what an actor may do; a higher role holds the rights of every lower
// one within its reach.
type Role string

// The roles, highest first.
const (
	RoleSystem       Role = "system"        // everything, everywhere
	RoleOrgAdmin     Role = "org-admin"     // every project of one organisation
	RoleProjectAdmin Role = "project-admin" // one project
	RoleUser         Role = "user"          // reads one project
)

// Right is one thing a role may allow.
type Right string

// The rights.
const (
	RightRead     Right = "read"     // clusters, operations, events of a project
	RightWrite    Right = "write"    // create and command clusters of a project
	RightCatalog  Right = "catalog"  // read what clusters are made from
	RightMembers  Right = "members"  // users and tokens within reach
	RightAudit    Right = "audit"    // read the audit within reach
	RightProjects Right = "projects" // create, change and delete projects of an organisation
	RightAdmin    Right = "admin"    // organisations, catalogues, the pool, platforms
)

// RightInfo is one row of the role table: a right, what it is about, and who
// holds it within their reach.
type RightInfo struct {
	Right   Right  `json:"right"`
	Meaning string `json:"meaning"`
	// Reach is what the right is asked over: "project", "org" or "" (the whole
	// installation: it is held or not).
	Reach string `json:"reach,omitempty"`
	Roles []Role `json:"roles"` // highest first
}

// roleTable is the whole of what roles may do. Everything else is made from
// it: decisions, docs/roles.md, and the tests of every call.
var roleTable = []RightInfo{
	{
		RightRead,
		"see clusters, operations and events of a project, and the project itself; read of brokers what " +
			"shows no secrets, and open their dashboards",
		"project", []Role{RoleSystem, RoleOrgAdmin, RoleProjectAdmin, RoleUser},
	},
	{
		RightCatalog,
		"see sizes, images, the pool, load-balancer profiles and Kubernetes targets",
		"", []Role{RoleSystem, RoleOrgAdmin, RoleProjectAdmin, RoleUser},
	},
	{
		RightWrite,
		"create clusters in a project and command them, a transfer on both sides; call their brokers as " +
			"an administrator",
		"project", []Role{RoleSystem, RoleOrgAdmin, RoleProjectAdmin},
	},
	{
		RightMembers,
		"see, make, change and remove users and API tokens whose every right lies within reach; nobody " +
			"gives more than they hold",
		"project", []Role{RoleSystem, RoleOrgAdmin, RoleProjectAdmin},
	},
	{
		RightAudit,
		"read and export the audit of a project",
		"project", []Role{RoleSystem, RoleOrgAdmin, RoleProjectAdmin},
	},
	{
		RightProjects,
		"make, change and remove projects of an organisation and set their quotas; see its own quota, and " +
			"change what it is described as",
		"org", []Role{RoleSystem, RoleOrgAdmin},
	},
	{
		RightAdmin,
		"make and remove organisations; change catalogues, the pool, quotas of organisations and " +
			"Kubernetes targets; see registries and licenses",
		"", []Role{RoleSystem},
	},
}

// roleInfos say in words what each role reaches, highest first.
var roleInfos = []struct {
	Role    Role
	Reaches string
}{
	{RoleSystem, "the whole installation"},
	{RoleOrgAdmin, "one organisation with all its projects"},
	{RoleProjectAdmin, "one project"},
	{RoleUser, "one project"},
}

// RoleTable returns the role table: every right and who holds it.
func RoleTable() []RightInfo {
	out := slices.Clone(roleTable)
	for i := range out {
		out[i].Roles = slices.Clone(out[i].Roles)
	}
	return out
}

// Roles lists the roles, highest first.
func Roles() []Role {
	out := make([]Role, len(roleInfos))
	for i, r := range roleInfos {
		out[i] = r.Role
	}
	return out
}

// lowest is the role next to the people that holds a right.
func lowest(right Right) Role {
	for _, row := range roleTable {
		if row.Right == right {
			return row.Roles[len(row.Roles)-1]
		}
	}
	return RoleSystem
}

// rights is the role table by role.
var rights = func() map[Role]map[Right]bool {
	held := map[Role]map[Right]bool{}
	for _, r := range roleInfos {
		held[r.Role] = map[Right]bool{}
	}
	for _, row := range roleTable {
		for _, role := range row.Roles {
			held[role][row.Right] = true
		}
	}
	return held
}()
