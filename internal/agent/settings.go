package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/home"
)

// Limits of the intervals: for the server an agent is silent after 30 s.
const (
	shortestInterval = time.Second
	longestInterval  = 30 * time.Second
	usualInterval    = 10 * time.Second
)

// Settings are those of etc/agent.yaml. It has the keys of the product, and the section
// `openecp` with keys of this program.
//
//	logger: info               # or {level: info}
//	heartbeat: {interval: 10s}
//	monitoring: {interval: 10s, exporter_url: …}
//	openecp:
//	  tunnel: auto             # auto, direct or websocket
//	  proxy: http://proxy:3128 # to the server; "none" = not that of the environment
//	  buffer: {age: 6h, size: 32MiB} # what is kept for a server that is away; 0 means nothing
type Settings struct {
	LogLevel   slog.Level
	Heartbeat  time.Duration // between signs of life to the server
	Monitoring time.Duration // between reports
	Tunnel     agentproto.TunnelMode
	Proxy      string // URL, "none", or empty means as the environment says
	Buffer     BufferSettings
	// Ignored names the keys that are not used, with their lines.
	Ignored []string
}

func defaultSettings() Settings {
	return Settings{LogLevel: slog.LevelInfo, Heartbeat: usualInterval, Monitoring: usualInterval,
		Tunnel: agentproto.TunnelAuto,
		Buffer: BufferSettings{Age: usualBufferAge, Size: usualBufferSize}}
}

// ReadSettings reads agent.yaml. If there is none, it returns the defaults.
func ReadSettings(dir string) (Settings, error) {
	path := home.Dir(dir).Settings()
	data, err := home.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultSettings(), nil
	}
	if err != nil {
		return defaultSettings(), err
	}
	s, err := ParseSettings(data)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseSettings parses the text of an agent.yaml. The error names every line that is wrong;
// the settings then have the values of the other lines.
func ParseSettings(data []byte) (Settings, error) {
	p := &settingsParser{s: defaultSettings()}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return p.s, fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
		p.section("", doc.Content[0])
	}
	return p.s, errors.Join(p.errs...)
}

type settingsParser struct {
	s    Settings
	errs []error
	seen map[string]int // line of each key
}

// ownSection holds this program's own keys.
const ownSection = "openecp"

// setting parses the value of a key. Its error lists what is allowed.
type setting func(s *Settings, text string) error

// settings are the known keys. Keys of the product have the names of its documents.
func settings() map[string]setting {
	return map[string]setting{
		"logger":               setLogLevel,
		"logger.level":         setLogLevel,
		"heartbeat.interval":   func(s *Settings, text string) error { return setInterval(&s.Heartbeat, text) },
		"monitoring.interval":  func(s *Settings, text string) error { return setInterval(&s.Monitoring, text) },
		ownSection + ".tunnel": setTunnel,
		ownSection + ".proxy":  setProxy,

		ownSection + ".buffer.age":  setBufferAge,
		ownSection + ".buffer.size": setBufferSize,
	}
}

// section reads the keys of a mapping below path. A key with dots stands for sections.
func (p *settingsParser) section(path string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, path, "has to be a section of keys and values")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		if path != "" {
			name = path + "." + name
		}
		if line, twice := p.seen[name]; twice {
			p.fail(key, name, fmt.Sprintf("is there twice, first in line %d", line))
			continue
		}
		if p.seen == nil {
			p.seen = map[string]int{}
		}
		p.seen[name] = key.Line
		p.value(name, key, value)
	}
}

func (p *settingsParser) value(name string, key, value *yaml.Node) {
	for range 10 { // an alias of an alias
		if value.Kind != yaml.AliasNode {
			break
		}
		value = value.Alias
	}
	known := settings()
	set := known[name]
	switch {
	case value.Kind == yaml.MappingNode && hasBelow(known, name):
		if strings.Count(name, ".") < deepestSetting {
			p.section(name, value)
		}
	case set != nil && value.Kind == yaml.ScalarNode:
		if value.Tag == "!!null" {
			return // nothing was said
		}
		if err := set(&p.s, value.Value); err != nil {
			p.fail(value, name, err.Error())
		}
	case set != nil:
		p.fail(value, name, "has to be a single value")
	case name == ownSection:
		p.fail(value, name, "has to be a section of keys and values")
	case strings.HasPrefix(name, ownSection+"."):
		p.fail(key, name, "is not known; known are "+strings.Join(below(known, ownSection), ", "))
	case len(p.s.Ignored) < mostIgnored:
		p.s.Ignored = append(p.s.Ignored, fmt.Sprintf("line %d: %s is not used", key.Line, short(name)))
	}
}

const (
	deepestSetting = 4
	mostIgnored    = 50
)

func (p *settingsParser) fail(n *yaml.Node, name, says string) {
	p.errs = append(p.errs, fmt.Errorf("line %d: %s %s", n.Line, short(strings.TrimPrefix(name+" ", " ")), says))
}

// short shortens a name for an error.
func short(name string) string {
	const most = 80
	if name = strings.TrimSpace(name); len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

func below(known map[string]setting, section string) (keys []string) {
	for k := range known {
		if strings.HasPrefix(k, section+".") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func hasBelow(known map[string]setting, section string) bool { return len(below(known, section)) > 0 }

// ParseLevel returns the level of the log with a name.
func ParseLevel(text string) (slog.Level, error) {
	levels := map[string]slog.Level{
		"trace": slog.LevelDebug, "debug": slog.LevelDebug, "info": slog.LevelInfo, "notice": slog.LevelInfo,
		"warn": slog.LevelWarn, "warning": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[strings.ToLower(text)]
	if !ok {
		return level, errors.New("has to be debug, info, warn or error")
	}
	return level, nil
}

func setLogLevel(s *Settings, text string) (err error) {
	s.LogLevel, err = ParseLevel(text)
	return err
}

func setInterval(to *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < shortestInterval || d > longestInterval {
		return fmt.Errorf("has to be a time from %s to %s, e.g. 10s", shortestInterval, longestInterval)
	}
	*to = d
	return nil
}

func setTunnel(s *Settings, text string) error {
	mode := agentproto.TunnelMode(text)
	if !slices.Contains([]agentproto.TunnelMode{agentproto.TunnelAuto, agentproto.TunnelDirect,
		agentproto.TunnelWebSocket}, mode) {
		return errors.New("has to be auto, direct or websocket")
	}
	s.Tunnel = mode
	return nil
}

// noProxy means that the server is dialled directly, whatever the environment contains.
const noProxy = "none"

func setProxy(s *Settings, text string) error {
	if text != noProxy && text != "" {
		u, err := url.Parse(text) // its error quotes a password
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
			strings.Trim(u.Path, "/") != "" {
			return errors.New("has to be the URL of a proxy, e.g. http://proxy:3128, or none")
		}
	}
	s.Proxy = text
	return nil
}
