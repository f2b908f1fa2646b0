package derive

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Manifest is what a record tells the platform to keep with the objects: enough
// to make the record anew where it is lost. It holds no secrets, so of settings
// that may be some it has the names only.
type Manifest struct {
	Version       int             `json:"version"` // of this form
	Generation    int64           `json:"generation"`
	Spec          *ecp.HostedSpec `json:"spec"` // its config without Settings
	Settings      []string        `json:"settings,omitempty"`
	Resolved      ecp.Resolved    `json:"resolved"`
	Restarts      int             `json:"restarts,omitempty"`
	RenderVersion int             `json:"renderVersion,omitempty"`
	RunTimeConfig bool            `json:"runTimeConfig,omitempty"`
}

const manifestVersion = 1

// manifestOf returns the manifest of a hosted cluster. Equal records give equal
// text, so that nothing is written where nothing has changed.
func manifestOf(rec ecp.ClusterRecord) string {
	spec := rec.Spec.Hosted.Clone()
	var settings []string
	for _, key := range slices.Sorted(maps.Keys(spec.Config)) {
		if value := spec.Config[key]; setting.IsSealed(value) || !setting.Harmless(key, value) {
			settings = append(settings, key)
			delete(spec.Config, key)
		}
	}
	b, err := json.Marshal(Manifest{
		Version: manifestVersion, Generation: rec.Generation, Spec: &spec, Settings: settings, Resolved: rec.Resolved,
		Restarts: rec.Restarts, RenderVersion: rec.Status.RenderVersion,
		RunTimeConfig: rec.Status.RunTimeConfig,
	})
	if err != nil {
		return "" // made of texts, numbers and maps of texts
	}
	return string(b)
}

// manifestFor returns the manifest that is found where it says the same as text in the words
// of an earlier build, and text otherwise: objects are not written for a word.
func manifestFor(text string, found ecp.Observation) string {
	if found.Manifest == text {
		return text
	}
	there, err := ReadManifest(found)
	if err != nil {
		return text
	}
	if b, err := json.Marshal(there); err != nil || string(b) != text {
		return text
	}
	return found.Manifest
}

// ReadManifest reads what the objects of a cluster were made from.
func ReadManifest(f ecp.Observation) (Manifest, error) {
	var m Manifest
	if f.Manifest == "" {
		return m, ecp.NewError(ecp.CodeUnsupported, "",
			"the objects do not say what they were made from: an earlier build has made them")
	}
	if err := json.Unmarshal([]byte(f.Manifest), &m); err != nil || m.Spec == nil {
		return m, &ecp.Error{Code: ecp.CodeUnsupported,
			Message: "what the objects say they were made from cannot be read: somebody has changed it", Cause: err}
	}
	if m.Version > manifestVersion {
		return m, ecp.NewError(ecp.CodeUnsupported, "",
			fmt.Sprintf("a newer build has made the objects (form %d, this one reads %d); run that build", m.Version,
				manifestVersion))
	}
	return m, nil
}

// SpecWith returns the spec with settings: of those that it only names values have
// to be given, the others it has, and there are no more.
func (m Manifest) SpecWith(settings map[string]string) (ecp.HostedSpec, error) {
	spec := m.Spec.Clone()
	var missing, surplus []string
	for _, key := range m.Settings {
		if _, ok := settings[key]; !ok {
			missing = append(missing, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if _, has := spec.Config[key]; !has && !slices.Contains(m.Settings, key) {
			surplus = append(surplus, key)
		}
	}
	if len(missing)+len(surplus) == 0 {
		for _, key := range m.Settings {
			if spec.Config == nil {
				spec.Config = map[string]string{}
			}
			spec.Config[key] = settings[key]
		}
		return spec, nil
	}
	why := "the cluster was made with other settings, whose values are not kept with its objects"
	if len(missing) > 0 {
		why += "; without a value are " + strings.Join(missing, ", ")
	}
	if len(surplus) > 0 {
		why += "; not among them are " + strings.Join(surplus, ", ")
	}
	return spec, &ecp.Error{Code: ecp.CodeConflict, Message: "the settings are not those of the cluster",
		Fields: []ecp.FieldError{{Field: "config", Message: why}}}
}
