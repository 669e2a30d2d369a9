package jobspec

import (
	"fmt"
	"strings"
)

// maxDbtCommands is how many commands a dbt task may have.
//
// Source: the descriptions of the fields of DbtTask in the SDK, as all rules here.
const maxDbtCommands = 10

// dbt checks a dbt_task.
func (c *checker) dbt(p *node, at string) {
	commands := p.get("commands")
	switch {
	case commands == nil, commands.kind == nodeList && len(commands.items) == 0:
		c.lack(p, at+"commands", "there are no commands; give at least one, for example \"dbt run\"")
	case len(commands.items) > maxDbtCommands:
		c.lack(commands.items[maxDbtCommands], at+"commands", "%d commands; at most %d are allowed", len(commands.items), maxDbtCommands)
	}
	for i, command := range p.list("commands") {
		text := strings.TrimSpace(command.text)
		if command.kind != nodeString || strings.HasPrefix(text, "${") || strings.HasPrefix(text, "{{") {
			continue // reported by its type, or not known here
		}
		if word, _, _ := strings.Cut(text, " "); word != "dbt" {
			c.lack(command, fmt.Sprintf("%scommands[%d]", at, i), "%s is no dbt command; each begins with dbt", command.brief())
		}
	}
	if p.str("project_directory") == "" && (c.entry.root.get("git_source") == nil || p.str("source") == "WORKSPACE") {
		c.lack(p, at+"project_directory", "project_directory is missing; only the project of a git_source may be its root")
	}
	if p.str("warehouse_id") != "" {
		if n := p.get("profiles_directory"); n != nil && p.str("profiles_directory") != "" {
			c.lack(n, at+"profiles_directory", "profiles_directory and warehouse_id exclude each other: with a warehouse the profile is generated")
		}
		return
	}
	if n := p.get("catalog"); n != nil && p.str("catalog") != "" {
		c.lack(n, at+"catalog", "catalog has a meaning only beside warehouse_id; without, the catalog is the profile's")
	}
	if n := p.get("schema"); n != nil && p.str("schema") != "" {
		c.warn(n, at+"schema", "schema is used only beside warehouse_id; without, the schema is the profile's")
	}
}
