package broker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// installation is where one way of installing EMQX puts its files.
type installation struct{ etc, data string }

// installations are those of EMQX's archives and images, and of its packages.
var installations = []installation{
	{"/opt/emqx/etc", "/opt/emqx/data"},
	{"/etc/emqx", "/var/lib/emqx"},
	{"/usr/local/emqx/etc", "/usr/local/emqx/data"},
}

// configFiles are the files of an installation that are read: what a later one says
// counts. Those that begin with "data/" are below the data directory.
var configFiles = []struct {
	name string
	read func(string) values
}{
	{"data/configs/cluster.hocon", parseHOCON}, // what was set at run time; 5.x
	{"emqx.conf", parseHOCON},
	{"plugins/emqx_management.conf", parseFlat}, // 4.4
	{"plugins/emqx_dashboard.conf", parseFlat},
	{"emqx_management.conf", parseFlat},
	{"emqx_dashboard.conf", parseFlat},
}

// hostConfig is EMQX's own configuration on this host.
type hostConfig struct {
	values values
	where  installation
	read   []string // files that were read
	denied []string // files that may not be read
}

// readHost reads the configuration of the first installation that has one.
func readHost(root string) hostConfig {
	for _, i := range installations {
		h := hostConfig{values: values{}, where: installation{filepath.Join(root, i.etc), filepath.Join(root, i.data)}}
		for _, f := range configFiles {
			path := filepath.Join(h.where.etc, f.name)
			if below, ok := strings.CutPrefix(f.name, "data/"); ok {
				path = filepath.Join(h.where.data, below)
			}
			text, err := readText(path)
			switch {
			case err == nil:
				h.read = append(h.read, path)
				h.values = h.values.over(f.read(text))
			case errors.Is(err, fs.ErrPermission):
				h.denied = append(h.denied, path)
			}
		}
		if len(h.read)+len(h.denied) > 0 {
			return h
		}
	}
	return hostConfig{values: values{}}
}

const largestConfig = 1 << 20 // bytes of a configuration file that are read

func readText(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() { // opening a pipe would wait for its other end
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestConfig))
	return string(text), err
}

// parseFlat reads 4.4's form: a key, an equals sign and a value a line.
func parseFlat(text string) values {
	v := values{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || key[0] == '#' || value == "" {
			continue
		}
		v[key] = unquote(value)
	}
	return v
}

// local is the URL at which this host reaches a listener that is bound so: a port,
// or an address and a port; empty means it is off, or makes no sense.
func local(scheme, bind string) string {
	if bind == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		host, port = "", bind
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := scheme + "://" + net.JoinHostPort(host, port)
	if _, err := parseBase(u); err != nil {
		return ""
	}
	return u
}

// expand replaces the variables that EMQX puts into paths.
func (h hostConfig) expand(path string) string {
	path = os.Expand(path, func(name string) string {
		switch name {
		case "EMQX_ETC_DIR":
			return h.where.etc
		case "EMQX_DATA_DIR":
			return h.where.data
		}
		return ""
	})
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(h.where.etc), path)
	}
	return path
}

// keyIn returns the first administrator's key of a file with one key a line:
// key:secret, with a role after it perhaps.
func keyIn(path string) (key, secret string, err error) {
	text, err := readText(path)
	if err != nil {
		return "", "", err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		parts := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(parts) >= 2 && parts[0] != "" && parts[1] != "" && !strings.HasPrefix(parts[0], "#") &&
			(len(parts) == 2 || parts[2] == "administrator") {
			return parts[0], parts[1], nil
		}
	}
	return "", "", fmt.Errorf("%s has no key of an administrator", path)
}
