package main

import (
	"fmt"
	"strings"
)

// cutProject splits ORG/PROJECT.
func cutProject(path string) (org, project string, ok bool) {
	org, project, ok = strings.Cut(path, "/")
	return org, project, ok && org != "" && project != "" && !strings.Contains(project, "/")
}

// grants shows roles with what they reach.
func grants(_ *app, o object, path string) string {
	list, _ := o.at(path).([]any)
	var out []string
	for _, g := range list {
		fields, _ := g.(map[string]any)
		out = append(out, roleOf(nil, object{fields: fields}, "role"))
	}
	return strings.Join(out, ",")
}

// roleOf shows one role with what it reaches, as --role takes it.
func roleOf(_ *app, o object, path string) string {
	scope := o.text("project")
	if scope == "" {
		scope = o.text("org")
	}
	if scope == "" {
		return o.text(path)
	}
	return o.text(path) + ":" + scope
}

// stepsDone shows how many steps of an operation are done.
func stepsDone(_ *app, o object, path string) string {
	list, _ := o.at(path).([]any)
	done := 0
	for _, s := range list {
		fields, _ := s.(map[string]any)
		step := object{fields: fields}
		if step.text("done") == step.text("total") {
			done++
		}
	}
	return fmt.Sprintf("%d/%d", done, len(list))
}

// targetMessage shows what is wrong with a target: why nothing is written there, else why it
// cannot be reached.
func targetMessage(_ *app, o object, path string) string {
	if why := o.text("health.lease.message"); why != "" {
		return why
	}
	return o.text(path)
}
