package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
)

const patience = time.Minute

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type order struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type page[T any] struct {
	Items []T `json:"items"`
}

// visit is what a client saw of each service.
type visit struct {
	Order    string   `json:"order"`
	Status   string   `json:"status"`
	Captured money    `json:"captured"`
	Letters  []string `json:"letters"`
	Refused  string   `json:"refused"`
}

// shop registers, signs in, buys, and looks at what each service says of it.
func shop(ctx context.Context, ask call) (*visit, error) {
	headers, err := signIn(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	bought, err := buy(ctx, ask, headers)
	if err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	payments := page[struct {
		Captured money `json:"captured"`
	}]{}
	if err := ask(ctx, "payments", "GET", "payments?order_id="+bought.ID, headers, nil, &payments); err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	letters, err := lettersTo(ctx, ask, headers)
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	seen := &visit{Order: bought.ID, Status: bought.Status, Captured: payments.Items[0].Captured, Letters: letters, Refused: "nothing"}
	var no refused
	if errors.As(ask(ctx, "orders", "GET", "internal/orders/amount", nil, nil, &order{}), &no) {
		seen.Refused = string(no)
	}
	return seen, nil
}

func signIn(ctx context.Context, ask call) (map[string]string, error) {
	account := map[string]string{
		"email":    fmt.Sprintf("ada-%s@example.org", uuid.NewString()),
		"password": "a long and unusual password",
	}
	if err := ask(ctx, "users", "POST", "users", nil, account, &struct{}{}); err != nil {
		return nil, err
	}
	session := struct {
		AccessToken string `json:"access_token"`
	}{}
	if err := ask(ctx, "users", "POST", "sessions", nil, account, &session); err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + session.AccessToken}, nil
}

func buy(ctx context.Context, ask call, headers map[string]string) (order, error) {
	body := map[string]any{
		"lines":          []map[string]any{{"sku": os.Getenv("SKU"), "quantity": 1}},
		"payment_method": "pm_card_visa",
		"shipping_address": map[string]string{
			"name": "Ada", "line1": "12 Square", "city": "London", "postal_code": "SW1Y 4JH", "country": "GB",
		},
	}
	keyed := map[string]string{"authorization": headers["authorization"], "idempotency-key": uuid.NewString()}
	var placed, now order
	if err := ask(ctx, "orders", "POST", "orders", keyed, body, &placed); err != nil {
		return placed, err
	}
	return now, until(func() (bool, error) {
		err := ask(ctx, "orders", "GET", "orders/"+placed.ID, headers, nil, &now)
		return now.Status == "paid", err
	})
}

func lettersTo(ctx context.Context, ask call, headers map[string]string) ([]string, error) {
	var names []string
	err := until(func() (bool, error) {
		letters := page[struct {
			Template string `json:"template"`
		}]{}
		err := ask(ctx, "notifications", "GET", "notifications", headers, nil, &letters)
		names = names[:0]
		for _, letter := range letters.Items {
			names = append(names, letter.Template)
		}
		return len(names) > 1, err
	})
	slices.Sort(names)
	return names, err
}

// until asks until the answer is enough.
func until(enough func() (bool, error)) error {
	for limit := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if done, err := enough(); done || err != nil {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("waited %s in vain", patience)
		}
	}
}
