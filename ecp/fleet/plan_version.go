package fleet

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// versionNotes say in a plan what comes with the version of an image that was not there
// before; was is the zero value for a new cluster.
func versionNotes(was, is ecp.Image) (out []string) {
	from, _ := ecp.ParseVersion(was.Version)
	to, _ := ecp.ParseVersion(is.Version)
	if from == to {
		return nil
	}
	if is.Unverified {
		out = append(out, fmt.Sprintf("EMQX %s is unverified: OpenECP was not run on a real one yet", is.Version))
	}
	if from.Major == 5 && to.Major == 6 {
		out = append(out, "EMQX 6 does not read durable sessions of EMQX 5: those that there are begin anew; and "+
			"there is no way back to EMQX 5")
	}
	return out
}
