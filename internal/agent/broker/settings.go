package broker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/openecp/openecp/internal/agent/home"
)

// The ports that EMQX has where nobody chose others.
const (
	dashboardPort  = "18083"
	managementPort = "8081" // the management API of 4.4, for applications
)

// Settings say where EMQX is and how to log in to it. They are what broker.json
// holds. They print without secrets.
type Settings struct {
	// DashboardURL is scheme, host and port of the dashboard, which in 5.x is the
	// API's, too; empty means http://127.0.0.1:18083.
	DashboardURL string `json:"dashboardUrl,omitempty"`
	// APIURL is that of the API; empty means the dashboard's in 5.x, port 8081 of its host
	// in 4.4.
	APIURL string `json:"apiUrl,omitempty"`
	// Username and Password are a dashboard user's.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// APIKey and APISecret are an API key's of 5.x or an application's of 4.4. They
	// are tried before the user.
	APIKey    string `json:"apiKey,omitempty"`
	APISecret string `json:"apiSecret,omitempty"`
	// CAFile holds certificates (PEM) that EMQX's own may be signed by; empty means the
	// system's. SkipVerify takes any certificate, as is done on loopback where no
	// file is given: there only this host can answer.
	CAFile     string `json:"caFile,omitempty"`
	SkipVerify bool   `json:"skipVerify,omitempty"`
	// LogCollection lets the agent read EMQX's log files, in LogDir; empty means where they
	// are found.
	LogCollection bool   `json:"logCollection,omitempty"`
	LogDir        string `json:"logDir,omitempty"`
	// ReadOnly refuses requests through the tunnel that change something at EMQX.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// Format prints what is no secret, whatever the verb.
func (s Settings) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "EMQX at %s (%s)", s.dashboard(), s.Credentials())
}

// LogValue is what a log shows.
func (s Settings) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// HasCredentials reports whether there is anything to log in with.
func (s Settings) HasCredentials() bool { return s.APIKey != "" || s.Username != "" }

// Credentials names what is logged in with, without secrets.
func (s Settings) Credentials() string {
	switch {
	case s.APIKey != "" && s.Username != "":
		return "API key, then dashboard user " + strconv.Quote(s.Username)
	case s.APIKey != "":
		return "API key"
	case s.Username != "":
		return "dashboard user " + strconv.Quote(s.Username)
	}
	return "no credentials"
}

// Or fills what is empty from other settings: URLs and so on one by one, user and
// key each with its secret. Switches are on where either has them on.
func (s Settings) Or(o Settings) Settings {
	s.DashboardURL, s.APIURL = cmp.Or(s.DashboardURL, o.DashboardURL), cmp.Or(s.APIURL, o.APIURL)
	switch {
	case s.Username == "" && s.Password != "" && o.Username != "": // a password alone is that of the user in the other
		s.Username = o.Username
	case s.Username == "" && s.Password == "":
		s.Username, s.Password = o.Username, o.Password
	case s.Username == o.Username && s.Password == "":
		s.Password = o.Password
	}
	switch s.APIKey {
	case "":
		s.APIKey, s.APISecret = o.APIKey, o.APISecret
	case o.APIKey:
		s.APISecret = cmp.Or(s.APISecret, o.APISecret)
	}
	s.CAFile, s.LogDir = cmp.Or(s.CAFile, o.CAFile), cmp.Or(s.LogDir, o.LogDir)
	s.SkipVerify, s.LogCollection, s.ReadOnly = s.SkipVerify || o.SkipVerify, s.LogCollection ||
		o.LogCollection, s.ReadOnly || o.ReadOnly
	return s
}

// dashboard is where the dashboard is.
func (s Settings) dashboard() string {
	if s.DashboardURL != "" || s.APIURL == "" {
		return cmp.Or(s.DashboardURL, "http://127.0.0.1:"+dashboardPort)
	}
	if u, err := url.Parse(s.APIURL); err == nil && u.Port() == managementPort {
		return (&url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), dashboardPort)}).String()
	}
	return s.APIURL
}

// api4 is where the API of 4.4 is for applications.
func (s Settings) api4() string {
	if s.APIURL != "" {
		return s.APIURL
	}
	u, err := url.Parse(s.dashboard())
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(u.Hostname(), managementPort)}).String()
}

// Check returns what is wrong with the settings, without asking anybody; it names
// the field as the flags do.
func (s Settings) Check() error {
	var errs []error
	for _, f := range []struct{ flag, value string }{{"--emqx-dashboard-url", s.DashboardURL},
		{"--emqx-api-url", s.APIURL}} {
		if f.value == "" {
			continue
		}
		if _, err := parseBase(f.value); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", f.flag, err))
		}
	}
	for _, f := range []struct{ flag, name, secret string }{{"--emqx-dashboard-username", s.Username, s.Password},
		{"--emqx-api-key", s.APIKey, s.APISecret}} {
		switch {
		case strings.Contains(f.name, ":"):
			errs = append(errs, fmt.Errorf("%s has a colon in it, which EMQX cannot be sent", f.flag))
		case f.name != "" && f.secret == "":
			errs = append(errs, fmt.Errorf("%s is given without its password or secret", f.flag))
		case f.name == "" && f.secret != "":
			errs = append(errs, fmt.Errorf("a password or secret is given without %s", f.flag))
		case strings.ContainsFunc(f.name+f.secret, func(r rune) bool { return r < ' ' || r == 0x7f }):
			errs = append(errs, fmt.Errorf("%s or its secret has a control character in it", f.flag))
		}
	}
	if s.LogDir != "" && !strings.HasPrefix(s.LogDir, "/") {
		errs = append(errs, errors.New("--emqx-log-collection-dir is not an absolute path"))
	}
	return errors.Join(errs...)
}

// parseBase reads scheme, host and port. Its errors do not repeat what was given,
// which may have a password anywhere.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL; give scheme, host and port, e.g. http://127.0.0.1:18083")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.User != nil:
		return nil, errors.New("has user information in it; give the credentials by their own flags")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("has more than scheme, host and port in it")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("has a port outside 1 to 65535")
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// loopback reports whether only this host answers under a host name.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Save writes the settings to the agent's directory, readable by its owner alone.
func Save(dir home.Dir, s Settings) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("EMQX's settings: %w", err)
	}
	return home.WriteJSON(dir.Broker(), s)
}

// Load reads them; fs.ErrNotExist is among the causes where there are none. Rights of
// others to the file are taken away; where they cannot be, it is refused.
func Load(dir home.Dir) (Settings, error) {
	var s Settings
	if err := home.KeepPrivate(dir.Broker()); err != nil {
		return s, fmt.Errorf("read EMQX's settings: %w", err)
	}
	if err := home.ReadJSON(dir.Broker(), &s); err != nil {
		return Settings{}, fmt.Errorf("read EMQX's settings: %w; run `emqxee-agent register` again", err)
	}
	if err := s.Check(); err != nil {
		return Settings{}, fmt.Errorf("read EMQX's settings from %s: %w", dir.Broker(), err)
	}
	return s, nil
}

// IsMissing reports whether Load failed because there is no file.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
