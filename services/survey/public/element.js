/** Making elements; text is only ever set as text. */

/** `attributes`: properties where the element has one of that name, else attributes; undefined ones are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    if (key in made) made[key] = value
    else made.setAttribute(key, value)
  }
  made.append(...children)
  return made
}

export const byId = (id) => document.getElementById(id)
