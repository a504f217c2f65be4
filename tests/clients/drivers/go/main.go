// A driver for Go's x/crypto/ssh: once as the service of the story called it, with a Timeout that
// ends with the TCP connect, and once with a deadline over the handshake.
//
//	driver MODE HOST PORT LIMIT
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/crypto/ssh"
)

// A dialer gives a client that has logged in.
type dialer func(address string, config *ssh.ClientConfig) (*ssh.Client, error)

var modes = map[string]dialer{"timeout": withTimeout, "deadline": withDeadline}

func withTimeout(address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	return ssh.Dial("tcp", address, config)
}

func withDeadline(address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	deadline := time.Now().Add(config.Timeout)
	connection, err := net.DialTimeout("tcp", address, config.Timeout)
	if err != nil {
		return nil, err
	}
	connection.SetDeadline(deadline)
	inner, channels, requests, err := ssh.NewClientConn(connection, address, config)
	if err != nil {
		connection.Close()
		return nil, err
	}
	connection.SetDeadline(time.Time{})
	return ssh.NewClient(inner, channels, requests), nil
}

func main() {
	mode, host, port := os.Args[1], os.Args[2], os.Args[3]
	limit, err := time.ParseDuration(os.Args[4] + "s")
	if err != nil {
		panic(err)
	}
	config := &ssh.ClientConfig{
		User:            "x",
		Auth:            []ssh.AuthMethod{ssh.Password("x")},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         limit,
	}
	fmt.Printf("sshprobe: calling goroutines=%d\n", runtime.NumGoroutine())
	client, err := modes[mode](net.JoinHostPort(host, port), config)
	if err != nil {
		fmt.Printf("sshprobe: returned failed %q\n", err.Error())
	} else {
		client.Close()
		fmt.Println("sshprobe: returned ok")
	}
	io.Copy(io.Discard, os.Stdin)
	fmt.Printf("sshprobe: left goroutines=%d\n", runtime.NumGoroutine())
}
