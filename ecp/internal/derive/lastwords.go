package derive

import (
	"strings"
)

// wayBack says what a person can do about nodes that EMQX's refusal keeps from
// starting; "" where none is.
func (v View) wayBack() string {
	for _, n := range v.Snapshot.Found.Nodes {
		if !n.Broken || !strings.HasPrefix(n.Message, "EMQX says: ") {
			continue
		}
		switch {
		case v.Rec.Status.Previous != nil:
			return "; cancel the operation to go back to what was before, or change spec.config"
		case len(v.Rec.Spec.Hosted.Config) > 0:
			return "; change spec.config, or take the setting out"
		}
	}
	return ""
}
