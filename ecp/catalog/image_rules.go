package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// hostedVersions are the ranges of EMQX versions that clusters can be made of:
// each from its first on and before its second.
var hostedVersions = [][2]ecp.Version{
	{{Major: 4, Minor: 4, Patch: 6}, {Major: 4, Minor: 5, Patch: 0}},
	{{Major: 5, Minor: 6, Patch: 0}, {Major: 7, Minor: 0, Patch: 0}},
}

// tagVersion finds the version that a reference's tag begins with.
var tagVersion = regexp.MustCompile(`:v?([0-9]+\.[0-9]+\.[0-9]+)[^/:@]*(@|$)`)

// wrongImageVersion returns why an image cannot be of a version, or nothing. A tag
// that names a version has to name this one: what is pulled decides what runs.
func wrongImageVersion(version, reference string) string {
	v, ok := ecp.ParseVersion(version)
	within := false
	for _, r := range hostedVersions {
		within = within || !v.Before(r[0]) && v.Before(r[1])
	}
	if !ok || !within {
		return fmt.Sprintf(`is %q; EMQX Enterprise 4.4.6 to 4.4.x and 5.6.0 to 6.x can be run, such as "5.8.9"`, version)
	}
	if m := tagVersion.FindStringSubmatch(reference); m != nil {
		if tag, ok := ecp.ParseVersion(m[1]); ok && tag != v {
			return fmt.Sprintf("is %s, and the reference is tagged %s: they have to be the same", version, m[1])
		}
	}
	return ""
}

// architecture is the form of Kubernetes' words for processors.
var architecture = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,31}$`)

// maxArchitectures bounds those of one image.
const maxArchitectures = 16

// validateArchitectures checks the architectures that an image is built for.
func validateArchitectures(p *fault.Fields, all []string) {
	if len(all) > maxArchitectures {
		p.Add("architectures", "are %d; at most %d are allowed", len(all), maxArchitectures)
		return
	}
	for i, a := range all {
		at := "architectures[" + strconv.Itoa(i) + "]"
		switch {
		case !architecture.MatchString(a):
			p.Add(at, `is %q, which is no word of Kubernetes' for processors such as "amd64" or "arm64"`, a)
		case slices.Contains(all[:i], a):
			p.Add(at, "is there twice")
		}
	}
}

// WrongProcessor is the message of a kernel about a program that is for other processors.
const WrongProcessor = "exec format error"

// OtherProcessors explains [WrongProcessor] to people, with what to do.
const OtherProcessors = "the image is for machines with other processors than this one has: name its architectures " +
	"in the catalogue, so that nodes are placed on such machines only, or take an image for these"
