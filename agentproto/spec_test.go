package agentproto

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// specText returns spec.md.
func specText(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("spec.md")
	require.NoError(t, err)
	return string(raw)
}

// specTable returns the rows of the table whose header begins with these cells,
// without the backticks.
func specTable(t *testing.T, header ...string) (rows [][]string) {
	t.Helper()
	inside := false
	for l := range strings.Lines(specText(t)) {
		l = strings.TrimSpace(l)
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(l, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(c), "`", ""))
		}
		switch {
		case !strings.HasPrefix(l, "|"):
			inside = false
		case len(cells) >= len(header) && slices.Equal(cells[:len(header)], header):
			inside = true
		case inside && !strings.HasPrefix(l, "|--"):
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows, "spec.md has no table %q", header)
	return rows
}

// specLimits are the constants that spec.md names.
var specLimits = map[string]any{
	"maxFrame": maxFrame, "nonceSize": nonceSize, "bindingSize": bindingSize, "maxID": maxID, "maxWord": maxWord,
	"maxMessage": maxMessage,
	"maxStreams": maxStreams, "reservedStreams": reservedStreams, "serverStreamWindow": serverStreamWindow,
	"agentStreamWindow": agentStreamWindow, "serverWindow": serverWindow, "agentWindow": agentWindow,
	"frameBytes": frameBytes, "headerTableBytes": headerTableBytes,
	"maxHeaderBytes": maxHeaderBytes, "maxRequestHeader": maxRequestHeader, "coalesceBytes": coalesceBytes,
	"recordBytes": recordBytes, "unsentBytes": unsentBytes, "maxReportBytes": maxReportBytes,
	"maxMembers": maxMembers, "maxReportErrors": maxReportErrors,
	"maxUptimeMS":     time.Duration(maxUptimeMS) * time.Millisecond,
	"maxControlBytes": maxControlBytes, "maxRegisterBody": maxRegisterBody, "maxAnswerBody": maxAnswerBody,
	"maxToken":     maxToken,
	"maxHTTPNonce": maxHTTPNonce, "maxAuthorities": maxAuthorities, "maxAnnounced": maxAnnounced,
	"maxIdentity":   maxIdentity,
	"maxRetryAfter": maxRetryAfter, "minHeartbeat": minHeartbeat, "maxHeartbeat": maxHeartbeat,
	"maxProxyAnswer": maxProxyAnswer,
	"nonceLife":      nonceLife, "maxUsedNonces": maxUsedNonces, "maxClaims": maxClaims, "maxGuessers": maxGuessers,
	"guessBurst": guessBurst, "guessInterval": guessInterval, "connectBurst": connectBurst,
	"registerWorkers": registerWorkers, "registerWaiting": registerWaiting, "registerPatience": registerPatience,
	"registerReading": registerReading, "registerTries": registerTries, "stepTimeout": stepTimeout,
	"rawGrace":        rawGrace,
	"maxHistoryBytes": maxHistoryBytes, "maxHistoryRecords": maxHistoryRecords, "maxHistories": maxHistories,
	"maxHistoryKinds": maxHistoryKinds,
	"goodbyePatience": goodbyePatience, "notBeforeLeeway": notBeforeLeeway,
	"maxLogText": maxLogText, "maxLogSought": maxLogSought, "maxLogMark": maxLogMark, "maxLogMessage": maxLogMessage,
	"logPage": logPage, "maxLogReaders": maxLogReaders, "moveEach": moveEach, "moveAll": moveAll,
}

// ownBusiness are constants that no other side notices.
var ownBusiness = []string{
	"identityVersion", // of the agent's file
	"lineBuffer",      // how reports are read
	"frameHead",       // HTTP/2's own
	"logBatch",        // how few lines travel together
	"logDelay",        // for how short a time they wait for one another
	"sweepEvery",      // how reconnects are counted
	"noLinks",         // how files are opened
	"tcpNotSentLowat", // a number of the kernel
	"tellSkew",        // what doctor advises
}

var sizeUnits = map[string]int{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// specValue reads a value as spec.md writes it.
func specValue(t *testing.T, text string) any {
	t.Helper()
	number, unit, _ := strings.Cut(text, " ")
	if n, err := strconv.Atoi(number); err == nil && unit == "" {
		return n
	} else if err == nil && sizeUnits[unit] != 0 {
		return n * sizeUnits[unit]
	}
	d, err := time.ParseDuration(number + strings.Replace(unit, "min", "m", 1))
	require.NoError(t, err, text)
	return d
}

func TestSpecLimits(t *testing.T) {
	named := map[string]bool{}
	for _, row := range specTable(t, "constant", "value") {
		named[row[0]] = true
		assert.EqualValues(t, specLimits[row[0]], specValue(t, row[1]), row[0])
	}
	for _, name := range numberConstants(t) {
		assert.True(t, named[name] || slices.Contains(ownBusiness, name), "spec.md does not name the limit %s", name)
	}
	for name := range specLimits {
		assert.True(t, named[name], "spec.md does not name %s", name)
	}
}

// numberConstants returns the constants of the package that are numbers.
func numberConstants(t *testing.T) (names []string) {
	t.Helper()
	eachConstant(t, func(name, kind string, value ast.Expr) {
		text := false
		ast.Inspect(value, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			text = text || ok && lit.Kind == token.STRING
			return true
		})
		if !text && kind == "" {
			names = append(names, name)
		}
	})
	require.Greater(t, len(names), 20)
	return names
}

// eachConstant calls f for the constants of the package that are at its top.
func eachConstant(t *testing.T, f func(name, kind string, value ast.Expr)) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, decl := range tree.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, s := range group.Specs {
				spec := s.(*ast.ValueSpec)
				kind, _ := spec.Type.(*ast.Ident)
				for i, name := range spec.Names {
					if kind == nil {
						kind = &ast.Ident{}
					}
					f(name.Name, kind.Name, spec.Values[i])
				}
			}
		}
	}
}

// TestSpecWords finds every value of the kinds that travel in spec.md, and the
// refusals with what they do.
func TestSpecWords(t *testing.T) {
	text := specText(t)
	codes := map[string]bool{}
	eachConstant(t, func(name, kind string, value ast.Expr) {
		lit, ok := value.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		word, err := strconv.Unquote(lit.Value)
		require.NoError(t, err)
		switch {
		case kind == "RefusalCode":
			codes[word] = true
		case slices.Contains([]string{"Host", "Carrier", "TunnelMode", "MemberStatus", "Stage", "ErrorCode", "LogCode",
			"HistoryKind", "ChangeAbout", "GapReason", "AnswerCode"}, kind), name == "AnsweredBy",
			strings.HasPrefix(name, "path"), strings.HasPrefix(name, "Path"), strings.HasPrefix(name,
				"label"), name == "ALPN":
			assert.Contains(t, text, "`"+word+"`", name)
		}
	})
	for _, frame := range []string{goodbyeFrame, newsFrame} {
		assert.Contains(t, text, strings.TrimSpace(fmt.Sprintf("`% x`", frame)))
	}
	assert.Contains(t, text, "`EXPORTER-Channel-Binding`")
	for _, row := range specTable(t, "code", "status") {
		r := &Refusal{Code: RefusalCode(row[0])}
		assert.True(t, codes[row[0]], "there is no code %s", row[0])
		delete(codes, row[0])
		w := httptest.NewRecorder()
		writeRefusal(w, 0, r)
		assert.Equal(t, row[1], strconv.Itoa(w.Code), row[0])
		assert.Equal(t, row[2] == "final", r.Final(), row[0])
		assert.Equal(t, row[2] == "soon", slices.Contains(quick, r.Code), row[0])
	}
	assert.Empty(t, codes, "refusals that spec.md does not name")
}

// TestSpecLogCodes compares the refusals of logs.
func TestSpecLogCodes(t *testing.T) {
	rows := specTable(t, "code of a log", "status")
	require.Len(t, rows, len(logStatuses)+1)
	for _, row := range rows {
		w := httptest.NewRecorder()
		refuseLogs(w, &LogError{Code: LogCode(row[0])})
		assert.Equal(t, row[1], strconv.Itoa(w.Code), row[0])
	}
}

// TestSpecTimings compares the defaults, field by field.
func TestSpecTimings(t *testing.T) {
	server, err := ServerConfig{Name: "x", Registry: NewMemoryRegistry()}.withDefaults()
	require.NoError(t, err)
	want := map[string]any{"MaxAgents": server.MaxAgents, "MaxHandshakes": server.MaxHandshakes}
	agent := map[string]any{}
	for into, timings := range map[*map[string]any]any{&want: server.Timings, &agent: AgentTimings{}.withDefaults()} {
		v := reflect.ValueOf(timings)
		for i := range v.NumField() {
			if d := v.Field(i).Interface().(time.Duration); d != 0 { // an agent's heartbeat is the server's
				(*into)[v.Type().Field(i).Name] = d
			}
		}
	}
	rows := specTable(t, "field", "default")
	require.Len(t, rows, len(want)+len(agent))
	for i, row := range rows {
		of := want
		if i >= len(want) {
			of = agent
		}
		assert.EqualValues(t, of[row[0]], specValue(t, row[1]), row[0])
	}
	heartbeat, silence := AgentTimings{}.heartbeat(0)
	assert.Equal(t, 10*time.Second, heartbeat)
	assert.Equal(t, 3*heartbeat, silence)
}

func TestSpecVersions(t *testing.T) {
	var versions []int
	for _, row := range specTable(t, "version", "since") {
		n, err := strconv.Atoi(row[0])
		require.NoError(t, err)
		versions = append(versions, n)
		_, err = time.Parse(time.DateOnly, row[1][:10])
		require.NoError(t, err, "every version has the date since when there is it")
	}
	slices.Sort(versions)
	assert.Equal(t, protocolVersions, versions[max(0, len(versions)-3):],
		"a release speaks its newest version and the two before it")
}

// TestSpecCalls makes every call of the control host that the table names.
func TestSpecCalls(t *testing.T) {
	id, _ := newTestIdentity(t)
	a, err := NewAgent(AgentConfig{Identity: id, Logs: newMemoryLog()})
	require.NoError(t, err)
	serves := a.newServed(t.Context(), closedChannel())
	go func() { // in place of the connection's own
		n := <-serves.news
		n.kept <- nil
	}()
	h := serves.control()
	for _, row := range specTable(t, "call", "path") {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(row[0], row[1], strings.NewReader("{}")))
		assert.True(t, strings.HasPrefix(row[2], strconv.Itoa(w.Code)), "%s %s: %d", row[0], row[1], w.Code)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/of-a-later-version", http.NoBody))
	assert.Equal(t, http.StatusNotFound, w.Code)
}

func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// TestSpecShapes decodes the JSON of spec.md into the types that travel: each
// field is known, and none is missing.
func TestSpecShapes(t *testing.T) {
	shapes := map[string]any{
		"challenge": &challenge{}, "proof": &proof{}, "verdict": &verdict{}, "registerRequest": &registerRequest{},
		"registerAnswer": &registerAnswer{}, "unregisterRequest": &unregisterRequest{}, "problem": &problem{},
		"announcement": &announcement{}, "Report": &Report{}, "Answer": &Answer{},
		"HistoryRecord": &HistoryRecord{}, "logMessage": &logMessage{},
	}
	found := regexp.MustCompile("(?s)<!-- shape: (\\w+) -->\\s+```json(.*?)```").FindAllStringSubmatch(specText(t), -1)
	require.Len(t, found, len(shapes))
	for _, m := range found {
		v := shapes[m[1]]
		require.NotNil(t, v, m[1])
		require.NoError(t, json.Unmarshal([]byte(m[2]), v), m[1])
		assert.JSONEq(t, m[2], toJSON(t, v), "%s: a field is not known", m[1])
		for _, field := range missingFields(reflect.ValueOf(v).Elem(), m[1]) {
			if field != "challenge.Refusal" { // in its place, not beside the rest
				t.Errorf("spec.md does not show %s", field)
			}
		}
	}
}

// missingFields returns the fields of a value that are zero.
func missingFields(v reflect.Value, path string) (missing []string) {
	switch {
	case v.IsZero():
		return []string{path}
	case v.Kind() == reflect.Pointer:
		return missingFields(v.Elem(), path)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		return missingFields(v.Index(0), path)
	case v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]():
		return nil
	}
	for i := range v.NumField() {
		missing = append(missing, missingFields(v.Field(i), path+"."+v.Type().Field(i).Name)...)
	}
	return missing
}

// TestSpecSignature checks the example of a proof, for whoever writes an agent in
// another language.
func TestSpecSignature(t *testing.T) {
	value := map[string]string{}
	for _, row := range specTable(t, "field", "value") {
		value[row[0]] = row[1]
	}
	seed, err := hex.DecodeString(value["seed of the key"])
	require.NoError(t, err)
	nonce, err := hex.DecodeString(value["nonce"])
	require.NoError(t, err)
	key := ed25519.NewKeyFromSeed(seed)
	words := strings.Split(value["server's name, agent, instance, version"], ", ")
	p := proof{Agent: words[1], Instance: words[2], Version: 1}
	assert.Equal(t, hex.EncodeToString(sign(key, labelConnect, p.signed(nonce, words[0])...)), value["signature"])
}
