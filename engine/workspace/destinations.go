package workspace

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// DestinationType is what a notification destination is.
type DestinationType string

// The types of notification destinations.
const (
	EmailDestination     DestinationType = "EMAIL"
	SlackDestination     DestinationType = "SLACK"
	TeamsDestination     DestinationType = "MICROSOFT_TEAMS"
	PagerDutyDestination DestinationType = "PAGERDUTY"
	WebhookDestination   DestinationType = "WEBHOOK"
)

const (
	maxDestinations = 1000
	maxDestination  = 16 << 10
)

// Destinations are the places that webhook_notifications name by id.
type Destinations struct {
	rec       records
	seal      *sealer
	namespace string
}

// Destination is one of them.
type Destination struct {
	ID     string
	Name   string
	Type   DestinationType
	Config DestinationConfig // empty for those who may not see it
}

// DestinationConfig says where a destination is. Exactly one is set. The names
// are the wire's; each may hold a secret and is sealed at rest.
type DestinationConfig struct {
	Email     *EmailConfig     `json:"email,omitempty"`
	Webhook   *WebhookConfig   `json:"generic_webhook,omitempty"`
	Slack     *URLConfig       `json:"slack,omitempty"`
	Teams     *URLConfig       `json:"microsoft_teams,omitempty"`
	PagerDuty *PagerDutyConfig `json:"pagerduty,omitempty"`
}

// EmailConfig is a list of addresses.
type EmailConfig struct {
	Addresses []string `json:"addresses,omitempty"`
}

// WebhookConfig is an address that events are posted to. With a user name the
// requests carry basic authentication; with a password they are signed.
type WebhookConfig struct {
	URL      string `json:"url,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// URLConfig is the address of an incoming webhook of Slack or Teams. Their
// apps, which the Databricks API also takes, cannot be reached from here.
type URLConfig struct {
	URL string `json:"url,omitempty"`
}

// PagerDutyConfig is the key of a service's Events API integration.
type PagerDutyConfig struct {
	IntegrationKey string `json:"integration_key,omitempty"`
}

// destinationRecord is a destination at rest.
type destinationRecord struct {
	Name   string          `json:"name"`
	Type   DestinationType `json:"type"`
	Sealed []byte          `json:"sealed"`
	KeyID  string          `json:"key_id"`
}

func noDestination(id string) error {
	return refuse(DoesNotExist, "Notification destination %s does not exist.", id)
}

// Create adds a destination. Only admins may.
func (d *Destinations) Create(who Identity, name string, config json.RawMessage) (Destination, error) {
	made := Destination{ID: uuid.NewString(), Name: name}
	err := d.change(who, func(t tx) error {
		if err := t.belowLimit(bucketDestinations, "", maxDestinations, "The workspace has %d notification destinations, and cannot have more."); err != nil {
			return err
		}
		return d.set(t, &made, config)
	})
	return made, err
}

// Update changes a destination's name, if it is not empty, and what config
// names of its configuration. Its type stays. Only admins may.
func (d *Destinations) Update(who Identity, id, name string, config json.RawMessage) (Destination, error) {
	var now Destination
	err := d.change(who, func(t tx) error {
		var err error
		if now, err = d.read(t, id); err != nil {
			return err
		}
		if name != "" {
			now.Name = name
		}
		return d.set(t, &now, config)
	})
	return now, err
}

// Delete removes a destination. What waits to be told to it never will be.
// Only admins may.
func (d *Destinations) Delete(who Identity, id string) error {
	return d.change(who, func(t tx) error {
		there, err := t.has(bucketDestinations, id)
		if err == nil && !there {
			err = noDestination(id)
		}
		if err != nil {
			return err
		}
		return t.delete(bucketDestinations, id)
	})
}

func (d *Destinations) change(who Identity, fn func(tx) error) error {
	return d.rec.update(func(t tx) error {
		if err := t.requireAdmin(who, "change notification destinations"); err != nil {
			return err
		}
		return fn(t)
	})
}

// Get reads a destination; its configuration for admins alone.
//
// Source: the SDK's documentation of NotificationDestination.Config.
func (d *Destinations) Get(who Identity, id string) (Destination, error) {
	var found Destination
	err := d.rec.view(func(t tx) error {
		var err error
		if found, err = d.read(t, id); err != nil {
			return err
		}
		if t.requireAdmin(who, "read") != nil {
			found.Config = DestinationConfig{}
		}
		return nil
	})
	return found, err
}

// Resolve reads a destination for those who deliver to it.
func (d *Destinations) Resolve(id string) (Destination, error) {
	var found Destination
	err := d.rec.view(func(t tx) error {
		var err error
		found, err = d.read(t, id)
		return err
	})
	return found, err
}

// List returns at most limit destinations whose ids come after one, without
// their configuration.
func (d *Destinations) List(after string, limit int) (list []Destination, more bool, err error) {
	err = d.rec.view(func(t tx) error {
		var bad error
		err := t.scan(bucketDestinations, "", func(id string, raw []byte) bool {
			if id <= after {
				return true
			}
			if more = len(list) == limit; more {
				return false
			}
			var r destinationRecord
			if bad = json.Unmarshal(raw, &r); bad != nil {
				return false
			}
			list = append(list, Destination{ID: id, Name: r.Name, Type: r.Type})
			return true
		})
		if err == nil && bad != nil {
			err = fmt.Errorf("read notification destination: %w", bad)
		}
		return err
	})
	return list, more, err
}

func (d *Destinations) sealedName(id string) string {
	return "destination\x00" + d.namespace + "\x00" + id
}

func (d *Destinations) read(t tx, id string) (Destination, error) {
	var r destinationRecord
	ok, err := t.read(bucketDestinations, id, &r)
	if err == nil && !ok {
		err = noDestination(id)
	}
	if err != nil {
		return Destination{}, err
	}
	found := Destination{ID: id, Name: r.Name, Type: r.Type}
	raw, err := d.seal.unseal(r.Sealed, r.KeyID, d.sealedName(id))
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(raw, &found.Config); err != nil {
		return found, fmt.Errorf("read notification destination %s: %w", id, err)
	}
	return found, nil
}

// set lays config over the destination's configuration and stores it.
func (d *Destinations) set(t tx, dest *Destination, config json.RawMessage) error {
	if dest.Name == "" || len(dest.Name) > 256 {
		return refuse(InvalidParameter, "display_name must have 1 to 256 bytes.")
	}
	if len(config) > maxDestination {
		return refuse(InvalidParameter, "config has %d bytes; at most %d are allowed.", len(config), maxDestination)
	}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &dest.Config); err != nil {
			return refuse(InvalidParameter, "config cannot be read: %v.", err)
		}
	}
	if types := dest.Config.types(); dest.Type != "" && !slices.Equal(types, []DestinationType{dest.Type}) {
		return refuse(InvalidParameter, "The destination is of type %s, and its type cannot be changed; make another.", dest.Type)
	}
	typ, err := dest.Config.check()
	if err != nil {
		return err
	}
	dest.Type = typ
	raw, err := json.Marshal(dest.Config)
	if err != nil {
		return fmt.Errorf("write notification destination: %w", err)
	}
	sealed, key, err := d.seal.seal(raw, d.sealedName(dest.ID))
	if err != nil {
		return err
	}
	return t.write(bucketDestinations, dest.ID, destinationRecord{Name: dest.Name, Type: typ, Sealed: sealed, KeyID: key})
}

// types are the types of the configurations that are there.
func (c DestinationConfig) types() (list []DestinationType) {
	for typ, set := range map[DestinationType]bool{
		EmailDestination: c.Email != nil, WebhookDestination: c.Webhook != nil, SlackDestination: c.Slack != nil,
		TeamsDestination: c.Teams != nil, PagerDutyDestination: c.PagerDuty != nil,
	} {
		if set {
			list = append(list, typ)
		}
	}
	return list
}

// check tells a configuration's type, and what is wrong with it.
func (c DestinationConfig) check() (DestinationType, error) {
	types := c.types()
	if len(types) != 1 {
		return "", refuse(InvalidParameter, "config must hold exactly one of email, generic_webhook, slack, microsoft_teams and pagerduty; it holds %d.", len(types))
	}
	var err error
	switch types[0] {
	case EmailDestination:
		err = checkAddresses(c.Email.Addresses)
	case WebhookDestination:
		err = checkURL("generic_webhook.url", c.Webhook.URL)
	case SlackDestination:
		err = checkURL("slack.url", c.Slack.URL)
	case TeamsDestination:
		err = checkURL("microsoft_teams.url", c.Teams.URL)
	case PagerDutyDestination:
		if c.PagerDuty.IntegrationKey == "" {
			err = refuse(InvalidParameter, "config.pagerduty.integration_key is missing.")
		}
	}
	return types[0], err
}

func checkAddresses(list []string) error {
	if len(list) == 0 {
		return refuse(InvalidParameter, "config.email.addresses is empty.")
	}
	bad := slices.IndexFunc(list, func(a string) bool { _, err := mail.ParseAddress(a); return err != nil })
	if bad >= 0 {
		return refuse(InvalidParameter, "config.email.addresses: %q is no e-mail address.", list[bad])
	}
	return nil
}

// checkURL takes http beside https, which a workspace alone would: what is
// told here may be on the same machine.
func checkURL(field, text string) error {
	if text == "" {
		return refuse(InvalidParameter, "config.%s is missing; the address of an incoming webhook is needed.", field)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) {
		return refuse(InvalidParameter, "config.%s must be an address that begins with https:// or http://.", field)
	}
	return nil
}
