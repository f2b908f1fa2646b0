package cron

import (
	"fmt"
	"sync"
	"time"
)

// zones are those that were read, by name: reading one costs more than all that is
// done with it. There are some hundreds at most.
var zones sync.Map

// Zone returns a time zone by its IANA name, such as "Europe/Berlin"; an empty name is
// UTC. That of the host, "Local", is refused: two daemons may have different ones.
func Zone(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("is %q, which is no time zone; a name such as \"Europe/Berlin\" or \"UTC\" is wanted",
			name)
	}
	zones.Store(name, z)
	return z, nil
}
