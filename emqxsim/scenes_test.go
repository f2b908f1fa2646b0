package emqxsim_test

import (
	"strings"

	"github.com/openecp/openecp/emqxsim"
)

// scene rebuilds what a recording was made of.
type scene struct {
	files   string // what the recordings' names begin with
	version string
	nodes   []string
	at      int      // which of the nodes was asked
	door    string   // "" = the management listener, else "dashboard"
	after   []string // recorded calls made before, in this order
	with    func(c *emqxsim.Cluster)
}

// scenes are looked through in order; the first that fits a recording counts.
var scenes = append(scenes4, scenes5...)

// sceneOf finds the scene of a recording.
func sceneOf(name string) (scene, bool) {
	for _, s := range scenes {
		if strings.HasPrefix(name, s.files) {
			return s, true
		}
	}
	return scene{}, false
}
