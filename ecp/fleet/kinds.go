package fleet

import (
	"maps"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Kinds returns the codec of every kind of record that the package stores, for
// stores that keep text.
func Kinds() ecp.Codec {
	c := ecp.CodecOf(
		ecp.ClusterRecord{}, ecp.Tombstone{}, ecp.Operation{}, ecp.Departure{}, ecp.AgentRecord{}, ecp.RegistrationToken{}, ecp.HistoryEntry{}, ecp.Platform{},
	)
	for _, of := range []ecp.Codec{change.Kinds(), catalog.Kinds(), tenancy.Kinds()} {
		maps.Copy(c, of)
	}
	return c
}
