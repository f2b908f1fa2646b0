package derive

import (
	"github.com/openecp/openecp/ecp"
)

// NewestRender is the newest way the cluster's platform renders objects; 0 if
// it has but one.
func NewestRender(p ecp.Provisioner) int {
	if r, ok := p.(ecp.Renderer); ok {
		return r.RenderVersion()
	}
	return 0
}
