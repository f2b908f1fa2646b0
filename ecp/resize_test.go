package ecp_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// sized makes a size of requests and limits of CPU and memory.
func sized(cpu, cpuLimit, memory, memoryLimit string) ecp.Size {
	return ecp.Size{
		CPU:    ecp.Resource{Request: cpu, Limit: cpuLimit},
		Memory: ecp.Resource{Request: memory, Limit: memoryLimit},
	}
}

func TestResizeObstacle(t *testing.T) {
	for name, c := range map[string]struct {
		from, to ecp.Size
		why      string // "" = none
	}{
		"more memory":              {sized("1", "1", "1Gi", "1Gi"), sized("1", "1", "4Gi", "4Gi"), ""},
		"less memory":              {sized("1", "1", "4Gi", "4Gi"), sized("1", "1", "1Gi", "1Gi"), ""},
		"another request of CPU":   {sized("100m", "2", "1Gi", "2Gi"), sized("500m", "2", "1Gi", "2Gi"), ""},
		"CPU below the next whole": {sized("1", "1", "1Gi", "1Gi"), sized("1900m", "1900m", "1Gi", "1Gi"), ""},
		"CPU below one":            {sized("250m", "250m", "1Gi", "1Gi"), sized("1", "1", "1Gi", "1Gi"), ""},
		"one more CPU":             {sized("1", "1", "1Gi", "1Gi"), sized("2", "2", "1Gi", "1Gi"), "1 now and 2 then"},
		"one CPU less":             {sized("2", "2", "1Gi", "1Gi"), sized("1", "1", "1Gi", "1Gi"), "2 now and 1 then"},
		"a limit of CPU is new": {
			sized("1", "", "1Gi", "2Gi"), sized("1", "1", "1Gi", "2Gi"), "all of its machine now",
		},
		"no limit of CPU either":   {sized("1", "", "1Gi", "2Gi"), sized("2", "", "1Gi", "4Gi"), ""},
		"a limit of memory goes":   {sized("1", "2", "1Gi", "2Gi"), sized("1", "2", "1Gi", ""), "taken away"},
		"a limit of memory is new": {sized("1", "2", "1Gi", ""), sized("1", "2", "1Gi", "2Gi"), ""},
		"requests leave the limits": {
			sized("1", "1", "1Gi", "1Gi"), sized("500m", "1", "1Gi", "1Gi"), "class of service",
		},
		"limits only, as before": {sized("", "1", "", "1Gi"), sized("1", "1", "2Gi", "2Gi"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			why := c.from.ResizeObstacle(c.to)
			require.Contains(t, why, c.why)
			require.Equal(t, c.why == "", why == "", why)
		})
	}
}

func TestSameResources(t *testing.T) {
	for _, c := range []struct {
		a, b ecp.Size
		same bool
	}{
		{sized("1", "1", "1Gi", "1Gi"), sized("1000m", "1", "1024Mi", "1Gi"), true},
		{sized("", "1", "", "1Gi"), sized("1", "1", "1Gi", "1Gi"), true},
		{sized("1", "1", "1Gi", "1Gi"), sized("1", "1", "1Gi", "2Gi"), false},
		{sized("1", "1", "1Gi", "1Gi"), sized("1", "1", "1Gi", ""), false},
	} {
		require.Equal(t, c.same, c.a.SameResources(c.b), "%v %v", c.a, c.b)
	}
}
