package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// mayRun refuses a version and a number of nodes that EMQX would not start with under the
// cluster's license; until is how many nodes there still may be until a change has ended.
// From 5.9 on the license that EMQX brings along is for one node.
func (m *Manager) mayRun(tx ecp.Tx, wrong *fault.Fields, rec ecp.ClusterRecord, until int) error {
	version, wanted := rec.Resolved.Image.Version, rec.Spec.Hosted.AllNodes()
	nodes := max(wanted, until)
	if rec.Resolved.License == "" {
		v, ok := ecp.ParseVersion(version)
		switch needed := ok && nodes > 1 && !v.Before(ecp.Version{Major: 5, Minor: 9, Patch: 0}); {
		case needed && nodes > wanted:
			wrong.Add("spec.image", "is EMQX %s, which runs more than one node only with a license; there are %d "+
				"until the change of nodes has ended: change the image after it", version, nodes)
		case needed:
			wrong.Add("spec.nodes", "is %d; EMQX %s runs more than one node only with a license, and the catalogue "+
				"has no default one for 5.x", nodes, version)
		}
		return nil
	}
	content, err := m.Catalog.Licenses.Secret(tx, rec.Resolved.License)
	if err != nil {
		return err
	}
	if why := catalog.LicenseRefusal(content, version, nodes, m.observed.Now()); why != "" {
		wrong.Add("spec.image", "does not go with the license %q: %s", rec.Resolved.License, why)
	}
	return nil
}
