package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine/api"
)

func newTokenCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make, list and revoke API tokens",
		Long: "Tokens let clients in to the API of flowctl daemon. The data directory keeps their\nhashes alone, so a token is shown once: when it is made.",
	}
	cmd.AddCommand(newTokenCreateCmd(e), newTokenListCmd(e), newTokenRevokeCmd(e))
	return cmd
}

func newTokenCreateCmd(e *env) *cobra.Command {
	var q api.NewToken
	var lifetime time.Duration
	var output string
	cmd := &cobra.Command{
		Use: "create", Short: "Make a token and print it", Args: cobra.NoArgs,
		Example: "  flowctl token create --user ann@example.com --comment \"her laptop\" --lifetime 720h",
		RunE: func(c *cobra.Command, _ []string) error {
			if lifetime != 0 && lifetime < time.Second {
				return usage("--lifetime %s: a token lives a second at least; leave the flag away for ever", lifetime)
			}
			q.Lifetime = int64(lifetime / time.Second)
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				var ans struct {
					Value string `json:"token_value"`
					Info  any    `json:"token_info"`
				}
				if err := d.call(ctx, "/flowctl/v1/token", q, &ans); err != nil {
					return refusedOr(err)
				}
				if output == "json" {
					return e.printJSON(ans)
				}
				_, err := fmt.Fprintln(e.stdout, ans.Value)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.User, "user", "", "whose token; a new name makes a user (default: who runs flowctl)")
	flags.StringVar(&q.Comment, "comment", "", "what it is for")
	flags.DurationVar(&lifetime, "lifetime", 0, "how long it is good, for example 720h (default: for ever)")
	flags.BoolVar(&q.Admin, "admin", false, "the user becomes an admin")
	flags.StringVar(&q.Namespace, "namespace", "", "the workspace that it opens (default: the one for all)")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newTokenListCmd(e *env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List tokens", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				var ans struct {
					Infos []struct {
						ID      string `json:"token_id"`
						Created int64  `json:"creation_time"`
						Expires int64  `json:"expiry_time"`
						Comment string `json:"comment"`
						User    string `json:"created_by_username"`
					} `json:"token_infos"`
				}
				if err := d.call(ctx, "/api/2.0/token-management/tokens", nil, &ans); err != nil {
					return refusedOr(err)
				}
				if output == "json" {
					return e.printJSON(ans.Infos)
				}
				w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "TOKEN\tUSER\tCREATED\tEXPIRES\tCOMMENT")
				for _, t := range ans.Infos {
					expires := "never"
					if t.Expires >= 0 {
						expires = time.UnixMilli(t.Expires).Format(time.DateTime)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.User, time.UnixMilli(t.Created).Format(time.DateTime), expires, t.Comment)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newTokenRevokeCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN_ID", Short: "Revoke a token; token list shows the ids", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.withDoor(c.Context(), func(ctx context.Context, _ string, d *door) error {
				return refusedOr(d.delete(ctx, "/api/2.0/token-management/tokens/"+args[0]))
			})
		},
	}
}
