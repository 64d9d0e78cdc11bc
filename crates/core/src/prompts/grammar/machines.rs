//! What drives, flies, fights or works, with or without magic.

use super::Group;

pub(super) const VEHICLES: &[Group] = &[
    Group {
        looks: "cherry red,rusty,vintage turquoise,matte black,mud-covered,yellow,two-tone cream,chrome-trimmed",
        objects: "convertible,pickup truck,delivery van,motorcycle,school bus,muscle car,ice cream truck,racing car,\
                  off-road jeep,taxi",
        features: "with whitewall tires,with dented front bumper,with wooden roof rack,with flame decals,\
                   with round headlights,with oversized exhaust pipes,with surfboards on top",
    },
    Group {
        looks: "steam-powered,weathered,red and white,sleek silver,wooden,olive green,striped,antique",
        objects: "locomotive,biplane,fishing boat,submarine,helicopter,tugboat,cable car,seaplane,airship,\
                  paddle steamer",
        features: "with brass fittings,with tall antenna mast,with round portholes,with patched metal panels,\
                   with painted shark teeth,with rope railings,with large searchlight",
    },
];

pub(super) const SPACESHIPS: &[Group] = &[
    Group {
        looks: "sleek white,rusted,matte black,gold-plated,asymmetrical,battle-damaged,retro red,bone-colored alien",
        objects: "starfighter,cargo freighter,exploration shuttle,escape pod,lunar lander,mining ship,rescue ship,\
                  interstellar yacht,salvage ship,bomber",
        features: "with twin plasma engines,with swept-back wings,with glowing blue thrusters,with patched hull plates,\
                   with folding landing gear,with bubble cockpit,with heavy side cannons",
    },
    Group {
        looks: "ring-shaped,spherical,modular,abandoned,crystal-powered,cylindrical,hexagonal,damaged",
        objects: "space station,orbital habitat,research outpost,trading hub,shipyard,mothership,colony ship,\
                  communication relay,space telescope,refueling depot",
        features: "with rotating outer ring,with golden solar panels,with long docking arms,with glowing reactor core,\
                   with satellite dishes,with exposed framework,with domed greenhouse",
    },
];

pub(super) const WEAPONS: &[Group] = &[
    Group {
        looks: "damascus steel,obsidian,rune-etched,rusted iron,golden,frost-covered,serrated black,jeweled",
        objects: "longsword,dagger,katana,battle axe,war hammer,scimitar,halberd,spear,mace,rapier",
        features: "with leather-wrapped grip,with dragon-shaped guard,with glowing red edge,with chipped edge,\
                   with wolf head pommel,with silver chain,with engraved oak leaves",
    },
    Group {
        looks: "steampunk,ornate brass,futuristic white,scratched black,vintage,heavy,compact,alien organic",
        objects: "revolver,crossbow,plasma rifle,flintlock pistol,sniper rifle,blunderbuss,laser pistol,shotgun,\
                  grenade launcher,harpoon gun",
        features: "with wooden stock,with glowing energy cell,with brass scope,with engraved barrel,with worn trigger,\
                   with exposed gears,with leather sling",
    },
];

pub(super) const MILITARY: &[Group] = &[
    Group {
        looks: "camouflaged,olive drab,sand-colored,mud-splattered,burned-out,winter white,rusted,heavily armored",
        objects: "battle tank,armored truck,howitzer,missile launcher,halftrack,scout car,anti-aircraft gun,\
                  ambulance truck,amphibious carrier,mortar",
        features: "with bolted armor plates,with netting on top,with stacked sandbags,with painted kill marks,\
                   with chipped plating,with spare fuel cans,with white star emblem",
    },
    Group {
        looks: "dented,dusty,standard issue,olive green,weathered,vintage,reinforced,khaki",
        objects: "ammunition crate,army helmet,gas mask,folded stretcher,military radio,canteen,combat backpack,\
                  signal lamp,mine detector,supply barrel",
        features: "with stenciled white numbers,with canvas straps,with metal latches,with bullet holes,\
                   with faded red cross,with rope handles,with peeling label",
    },
];

pub(super) const MAGIC: &[Group] = &[
    Group {
        looks: "glowing,cursed,ancient,floating,crystal-tipped,bone,moonlit silver,rune-covered",
        objects: "magic staff,spell book,crystal ball,enchanted amulet,wizard wand,magic mirror,summoning horn,\
                  enchanted crown,rune stone,magic lantern",
        features: "with swirling purple mist,with carved dragon claws,with golden vine ornament,with pulsing red gem,\
                   wrapped in silver vines,with single watching eye,with crackling blue sparks",
    },
    Group {
        looks: "bubbling green,shimmering pink,corked,skull-shaped,tall spiral,starlit blue,smoking,heart-shaped",
        objects: "potion bottle,elixir flask,love potion,healing vial,poison bottle,mana potion,alchemist jar,\
                  dream essence bottle,invisibility potion,fire tonic",
        features: "with wax-sealed cork,with tiny skull charm,with floating golden flakes,with handwritten label,\
                   with twisted glass neck,with leather strap and feathers,on carved bone stand",
    },
];

pub(super) const FACTORY: &[Group] = &[
    Group {
        looks: "yellow,grease-stained,heavy-duty,stainless steel,industrial blue,rusted,automated,orange",
        objects: "robotic welding arm,conveyor belt,hydraulic press,forklift,injection molding machine,packing machine,\
                  metal lathe,bottling machine,overhead crane hook,sorting machine",
        features: "with warning stripes,with emergency stop button,with thick hydraulic hoses,with digital control panel,\
                   with safety cage,with exposed drive chain,with blinking status lights",
    },
    Group {
        looks: "riveted,insulated,vertical,corroded,chrome,double-walled,painted green,oversized",
        objects: "pressure tank,steam boiler,mixing vat,storage silo,heat exchanger,furnace,cooling tower,\
                  chemical drum,air compressor,distillation column",
        features: "with pressure gauges,with bolted flanges,with spiral ladder,with red valve wheels,\
                   with tangled copper pipes,with inspection hatch,with hazard labels",
    },
];

pub(super) const MACHINES: &[Group] = &[
    Group {
        looks: "polished brass,oil-stained,cutaway,vintage,turbocharged,chrome,cast iron,miniature",
        objects: "steam engine,radial aircraft engine,diesel engine,jet turbine,motorcycle engine,rotary engine,\
                  outboard motor,electric motor,tractor engine,stirling engine",
        features: "with spinning shaft,with exposed gears,with copper pipes,with cooling fins,\
                   on wooden display stand,with tangled red wires,with leaking gasket",
    },
    Group {
        looks: "clockwork,steampunk,retro,antique,hand-cranked,art deco,wooden,colorful",
        objects: "printing press,typewriter,cash register,vending machine,slot machine,pinball machine,calculating machine,\
                  coffee machine,jukebox,popcorn machine",
        features: "with interlocking brass gears,with ornate side panels,with round glass gauges,with worn levers,\
                   with glowing vacuum tubes,with large crank handle,with gold lettering",
    },
];
