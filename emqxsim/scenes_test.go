package emqxsim_test

import (
	"strings"
	"time"

	"github.com/openecp/openecp/emqxsim"
)

// scene rebuilds what a recording was made of.
type scene struct {
	files string // what the recordings' names begin with
	nodes []string
	at    int           // which of the nodes was asked
	door  string        // "" = the management listener, else "dashboard"
	after []string      // recorded calls made before, in this order
	wait  time.Duration // from then on
	with  func(c *emqxsim.Cluster)
}

// scenes are looked through in order; the first that fits a recording counts.
var scenes = append(scenes4, scenes5...)

// version is what was running.
func (s scene) version() string {
	if strings.HasPrefix(s.files, "v4") {
		return "4.4.19"
	}
	return "5.8.9"
}

// sceneOf finds the scene of a recording.
func sceneOf(name string) (scene, bool) {
	for _, s := range scenes {
		if strings.HasPrefix(name, s.files) {
			return s, true
		}
	}
	return scene{}, false
}
