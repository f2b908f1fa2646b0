package tenancy

import (
	"cmp"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// Directory keeps organisations, projects and their quotas. All methods may be called
// at once, each with the actor in its context ([ecp.WithActor]).
type Directory struct {
	changes *change.Writer
	store   ecp.Store

	projectsPerOrg, projects int // how many there may be
}

// DirectoryConfig is what a [Directory] is made of. Changes is required.
type DirectoryConfig struct {
	// Changes carries out the changes. The records are kept in its store.
	Changes *change.Writer
	// ProjectsPerOrg and Projects limit the number of projects in one organisation
	// and in all of them. Zero means 100 and 1,000.
	ProjectsPerOrg, Projects int
}

// NewDirectory returns a Directory. It starts nothing.
func NewDirectory(c DirectoryConfig) *Directory {
	return &Directory{
		changes: c.Changes, store: c.Changes.Store,
		projectsPerOrg: cmp.Or(c.ProjectsPerOrg, 100), projects: cmp.Or(c.Projects, 1000),
	}
}

// Kinds returns the codec of the records that this package stores. A Store needs it
// when it is opened.
func Kinds() ecp.Codec {
	return ecp.CodecOf(ecp.Org{}, ecp.Project{}, ecp.Quota{}, ecp.User{}, ecp.Token{}, passwordHash{}, StoredSession{},
		loginOrigins{})
}
