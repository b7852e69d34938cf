variable "name" {
  description = "Name of the site, used for connections and files."
  type        = string
  default     = "skybridge"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter: it becomes an interface and connection name."
  }
}

variable "vpc_cidr" {
  description = "Range of the VPC, the far end of the tunnel."
  type        = string

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "vpc_cidr must be an IPv4 range, for example 10.0.0.0/16."
  }
}

variable "onprem_cidrs" {
  description = "Ranges on this side of the tunnel, by name. The names lan and developers are used in rules and client files."
  type        = map(string)

  validation {
    condition     = contains(keys(var.onprem_cidrs), "lan") && alltrue([for cidr in values(var.onprem_cidrs) : can(cidrhost(cidr, 0))])
    error_message = "onprem_cidrs needs an entry called lan and each entry must be an IPv4 range, for example { lan = \"172.16.4.0/24\", developers = \"172.16.60.0/24\" }."
  }
}

variable "onprem_summary_cidr" {
  description = "One range that covers all on-prem ranges. A policy tunnel carries exactly one selector pair, because AWS keeps one pair of security associations per tunnel."
  type        = string
  default     = "172.16.0.0/18"

  validation {
    condition     = can(cidrhost(var.onprem_summary_cidr, 0))
    error_message = "onprem_summary_cidr must be an IPv4 range, for example 172.16.0.0/18."
  }
}

variable "public_ip" {
  description = "Public address of the site: what AWS sees and what the firewall must call itself in the key exchange, because its own address is hidden by NAT."
  type        = string

  validation {
    condition     = can(cidrhost("${var.public_ip}/32", 0)) && !can(regex("^(10\\.|127\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.)", var.public_ip))
    error_message = "public_ip must be the public address of the site. A firewall behind NAT that calls itself by its private address is refused by AWS, so give the router's public address."
  }
}

variable "wan_address" {
  description = "Address of the firewall's own outer interface; behind NAT it is private, for example 192.168.0.9."
  type        = string

  validation {
    condition     = can(cidrhost("${var.wan_address}/32", 0))
    error_message = "wan_address must be one IPv4 address, for example 192.168.0.9."
  }
}

variable "tunnels" {
  description = "The two tunnels as AWS made them: outer address and inside /30. Taken from the outputs of the network stack."
  type = list(object({
    address     = string
    inside_cidr = string
  }))

  validation {
    condition     = length(var.tunnels) == 2
    error_message = "tunnels must hold exactly two entries: with one, every maintenance at AWS cuts the site off."
  }

  validation {
    condition = alltrue([
      for tunnel in var.tunnels :
      can(cidrhost("${tunnel.address}/32", 0)) && can(regex("^169\\.254\\.[0-9.]+/30$", tunnel.inside_cidr)) && can(cidrhost(tunnel.inside_cidr, 0))
    ])
    error_message = "Each tunnel needs an IPv4 address and an inside_cidr that is a /30 of 169.254.0.0/16, for example 169.254.10.0/30."
  }
}

variable "routing" {
  description = "How routes are learnt: static, or bgp with the FRR package."
  type        = string
  default     = "static"

  validation {
    condition     = contains(["static", "bgp"], var.routing)
    error_message = "routing must be static or bgp."
  }
}

variable "asn" {
  description = "Autonomous system numbers of both ends."
  type        = object({ amazon = number, onprem = number })
  default     = { amazon = 64512, onprem = 65000 }

  validation {
    condition     = var.asn.amazon != var.asn.onprem
    error_message = "asn.amazon and asn.onprem must differ: a BGP session between equal numbers is internal and never comes up."
  }
}

variable "linux_gateway_mode" {
  description = "How a Linux gateway binds the tunnel: policy (one selector pair, any kernel) or xfrm (route-based, needs XFRM interfaces)."
  type        = string
  default     = "policy"

  validation {
    condition     = contains(["policy", "xfrm"], var.linux_gateway_mode)
    error_message = "linux_gateway_mode must be policy or xfrm."
  }
}

variable "mss" {
  description = "Largest TCP segment through the tunnel. 1350 fits every cipher behind NAT and PPPoE; the firewall's own default of 1400 does not."
  type        = number
  default     = 1350

  validation {
    condition     = var.mss >= 1200 && var.mss <= 1379
    error_message = "mss must lie between 1200 and 1379: above that, segments do not fit into ESP in UDP and bulk transfers stall."
  }
}

variable "phase2_lifetime_seconds" {
  description = "Lifetime of a security association that carries traffic; AWS accepts 900 to 3600."
  type        = number
  default     = 3600

  validation {
    condition     = var.phase2_lifetime_seconds >= 900 && var.phase2_lifetime_seconds <= 3600
    error_message = "phase2_lifetime_seconds must lie between 900 and 3600, which is what AWS accepts."
  }
}

variable "phase1_lifetime_seconds" {
  description = "Lifetime of the key exchange's own association; AWS accepts 900 to 28800."
  type        = number
  default     = 28800

  validation {
    condition     = var.phase1_lifetime_seconds >= 900 && var.phase1_lifetime_seconds <= 28800
    error_message = "phase1_lifetime_seconds must lie between 900 and 28800, which is what AWS accepts."
  }
}

variable "wireguard" {
  description = "The developers' entrance: endpoint as users dial it, port on the firewall, and its own address inside the developers' range."
  type = object({
    endpoint   = string
    port       = number
    public_key = string
  })

  validation {
    condition     = var.wireguard.port >= 1024 && var.wireguard.port <= 65535
    error_message = "wireguard.port must lie between 1024 and 65535."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.wireguard.public_key))
    error_message = "wireguard.public_key must be a WireGuard key: 44 characters of base64, as printed by wg pubkey."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+$", var.wireguard.endpoint))
    error_message = "wireguard.endpoint must be a host name or an IPv4 address without a port."
  }
}

variable "wireguard_users" {
  description = "Developers by name: their public key and the last part of their address."
  type        = map(object({ public_key = string, host = number }))
  default     = {}

  validation {
    condition     = alltrue([for user in values(var.wireguard_users) : can(regex("^[A-Za-z0-9+/]{43}=$", user.public_key))])
    error_message = "Each public_key must be 44 characters of base64, as printed by wg pubkey. The private key stays on the user's machine."
  }

  validation {
    condition     = length(distinct([for user in values(var.wireguard_users) : user.host])) == length(var.wireguard_users) && alltrue([for user in values(var.wireguard_users) : user.host >= 2 && user.host <= 254])
    error_message = "Each host number must be unique and lie between 2 and 254; 1 is the firewall."
  }
}
